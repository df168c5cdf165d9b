local tm <const> = require "tidemill"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64",
  time = { field = "at", out_of_order = "2s" },
}
-- What is kept until the end is not late there.
local best = clicks:group_by "user":window(tm.tumbling "2s"):agg { tm.sum "n" }
  :top(3, { by = "-n" })
return tm.stream {
  name = "held",
  best:group_by "window_start":agg { tm.count() }:to(tm.stdout()),
}
