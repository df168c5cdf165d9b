local tm <const> = require "tidemill"
local clicks = tm.csv {
  path = "clicks.csv", schema = "user string, at timestamp, n int64",
  time = { field = "at", out_of_order = tm.param("out_of_order", "2s") },
}
return tm.stream {
  name = "window",
  clicks:window(tm.tumbling "2s"):agg { tm.count(), tm.sum "n" }:to(tm.jsonl "out/w.jsonl"),
}
