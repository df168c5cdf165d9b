local tm <const> = require "tidemill"
local t = tm.rows { schema = "a int64", { a = 1 } }
  :filter(function(r) while r.a > 0 do end return true end)
return tm.batch { name = "t", limits = { row = "100ms" }, t:to(tm.stdout()) }
