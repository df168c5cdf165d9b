-- Bench `ndjson`: a group-by that needs two of the eight fields of each line.

local tm <const> = require "tidemill"

local sums = tm.jsonl { path = tm.param "file", schema = "country string, amount float64" }
  :group_by "country"
  :agg { tm.count():as "events", tm.sum "amount" }

return tm.batch { name = "bench-ndjson", sums:to(tm.stdout()) }
