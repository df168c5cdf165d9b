-- Bench `csv`: the sum of v1 by one key column of db-benchmark's group-by table.

local tm <const> = require "tidemill"

local sums = tm.csv {
  path   = tm.param "file",
  schema = [[ id1 string, id2 string, id3 string, id4 int64, id5 int64, id6 int64,
              v1 int64, v2 int64, v3 float64 ]],
}
  :group_by(tm.param "key")
  :agg { v1 = tm.sum "v1" }

return tm.batch { name = "bench-csv", sums:to(tm.stdout()) }
