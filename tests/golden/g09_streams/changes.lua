local tm <const> = require "tidemill"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64", time = "at",
}
return tm.stream {
  name = "changes",
  clicks:group_by "user":agg { tm.sum "n" }:to(tm.changelog(tm.csv "changes.csv")),
  clicks:group_by "user":agg { tm.max "n" }:to(tm.stdout()),
}
