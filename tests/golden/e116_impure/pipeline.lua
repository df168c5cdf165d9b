local tm <const> = require "tidemill"
local seen = 0
local t = tm.rows { schema = "a int64", { a = 1 } }:filter(function(r)
  seen = seen + 1
  return seen > 1
end)
return tm.batch { name = "t", t:to(tm.stdout()) }
