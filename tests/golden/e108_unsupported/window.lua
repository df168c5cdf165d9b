local tm <const> = require "tidemill"
local t = tm.rows { schema = "a int64", { a = 1 } }
return tm.batch {
  name = "windows",
  t:group_by "a":window(tm.tumbling "1m"):agg { tm.count() }:to(tm.stdout()),
}
