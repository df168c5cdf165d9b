-- Bench `window`: how often each key came in every ten seconds.

local tm <const> = require "tidemill"

local counts = tm.csv {
  path   = tm.param "file",
  schema = "at timestamp not null, key int64, value float64",
  time   = "at",
}
  :group_by "key"
  :window(tm.tumbling "10s")
  :agg { tm.count() }

return tm.stream { name = "bench-window", counts:to(tm.stdout()) }
