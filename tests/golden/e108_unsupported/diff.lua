local tm <const> = require "tidemill"
local t = tm.rows { schema = "a int64", { a = 1 } }
return tm.batch {
  name = "diff",
  t:diff(t, { key = "a" }):to(tm.stdout()),
}
