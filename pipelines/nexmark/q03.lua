-- Nexmark Q3, local item suggestion: who sells in Oregon, Idaho or California in category 10.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local locals = events.person()
  :filter(function(p) return p.state == "OR" or p.state == "ID" or p.state == "CA" end)

local suggestions = events.auction()
  :filter(function(a) return a.category == 10 end)
  :join(locals, { on = { seller = "id" }, take = { "name", "city", "state" } })
  :select("name", "city", "state", "id")

return tm.stream { name = "nexmark-q03", events.output(suggestions) }
