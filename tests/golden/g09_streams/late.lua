local tm <const> = require "tidemill"
local late = tm.jsonl "late.jsonl"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64",
  time = { field = "at", late = late },
}
return tm.stream {
  name = "late",
  clicks:window(tm.tumbling "2s"):agg { tm.count(), tm.sum "n" }:to(tm.stdout()),
}
