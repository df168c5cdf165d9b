local tm <const> = require "tidemill"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64",
  time = { field = "at", out_of_order = "2s" },
}
-- The first rows to arrive are others in another order of arrival.
return tm.batch { name = "first", clicks:limit(2):to(tm.csv "out/first.csv") }
