local tm <const> = require "tidemill"
local clicks = tm.tail {
  path = "clicks.csv", format = "csv", schema = "user string, at timestamp, n int64", time = "at",
}
return tm.stream {
  name = "endless",
  clicks:group_by "user":agg { tm.sum "n" }:to(tm.csv "sums.csv"),
}
