local tm <const> = require "tidemill"
local t = tm.rows { schema = "a int64", { a = 1 } }
return tm.batch {
  name = "twice",
  t:to(tm.csv "out/a.csv"),
  t:filter(function(r) return r.a > 1 end):to(tm.csv "out/./a.csv"),
}
