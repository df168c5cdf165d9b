local tm <const> = require "tidemill"
local t = tm.rows { schema = "a string", { a = "x" } }
local m = t:map(function(r)
  local letters = {}
  for c in r.a:gmatch "." do letters[#letters + 1] = c end
  return { first = letters[1], n = #letters }
end)
return tm.batch { name = "m", m:to(tm.stdout()) }
