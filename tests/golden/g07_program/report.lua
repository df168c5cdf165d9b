-- Two sources, rejects, a join, an aggregate: what --summary, --dry-run, check and explain say.
local tm <const> = require "tidemill"
local sales = tm.csv {
  path = "sales.csv", schema = "store string, qty int64", bad = tm.jsonl "out/bad.jsonl" }
local stores = tm.rows { schema = "store string, city string",
  { store = "a", city = "Rome" }, { store = "b", city = "Oslo" } }
local report = sales
  :filter(function(s) return s.qty > 0 end):name "real"
  :join(stores, { on = "store" })
  :group_by "city":agg { tm.sum "qty" }
return tm.batch { name = "report", report:to(tm.csv "out/report.csv"), sales:to(tm.discard()) }
