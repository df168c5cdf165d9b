-- Bench `latency`: an event that comes in closes the window of the one before it, whose count goes
-- out.

local tm <const> = require "tidemill"

local events = tm.tcp {
  listen = tm.param("listen", "127.0.0.1:0"),
  format = "jsonl",
  schema = "n int64 not null, at timestamp not null",
  epoch  = "ms",
  time   = "at",
}

local counts = events
  :window(tm.tumbling "1ms")
  :agg { tm.min "n", tm.count() }
  :select { "n", "count" }

return tm.stream {
  name = "bench-latency",
  counts:to(tm.tcp { connect = tm.param "out", format = "csv", header = false }),
}
