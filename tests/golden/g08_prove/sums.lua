local tm <const> = require "tidemill"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64",
  time = { field = "at", out_of_order = "2s" },
}
return tm.stream {
  name = "sums",
  clicks:filter(function(c) return c.n > 1 end):to(tm.csv "out/clicks.csv"),
  clicks:group_by "user":agg { tm.sum "n", tm.first "n":as "first" }:to(tm.stdout()):name "sums",
}
