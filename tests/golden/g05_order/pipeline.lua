-- What decides the order of a result: sort, top with its ties and ranks, union, limit.
local tm <const> = require "tidemill"
local function read(path)
  return tm.csv { path = path, schema = "name string, team string, score float64" }
end
local all = read "in/*.csv"
local flows <const> = {
  sorted     = function() return all:sort { "-score", "team" } end,
  upward     = function() return all:sort "score" end,
  through    = function() return all:sort("-score")
                          :filter(function(r) return r.score and r.team ~= "red" end)
                          :with { twice = function(r) return r.score * 2 end }:limit(3) end,
  top        = function() return all:top(3, { by = "-score" }) end,
  ties       = function() return all:top(3, { by = "-score", ties = "all" }) end,
  rank       = function() return all:top(4, { by = "-score", rank = "place" }) end,
  tied_rank  = function() return all:top(3, { by = "-score", ties = "all", rank = "place" }) end,
  per        = function() return all:top(1, { per = "team", by = { "-score", "-name" } }) end,
  union      = function() return read "in/c.csv":union(read "in/a.csv", read "in/b.csv") end,
  list       = function() return read { "in/b.csv", "in/a.csv" } end,
  limit      = function() return all:limit(4) end,
  limit_none = function() return all:limit(0) end,
  limit_agg  = function() return all:group_by "team":agg { tm.count() }:limit(2) end,
  distinct   = function() return all:distinct "team" end,
  rows       = function() return all:select("team"):distinct():sort "-team" end,
}
return tm.batch { name = "order", flows[tm.param "what"]():to(tm.stdout()) }
