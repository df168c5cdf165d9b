-- The best sale of each store, with its rank; `ties = "all"` would keep equals too.
--
--   tidemill run examples/top.lua

local tm <const> = require "tidemill"

local best = tm.csv {
  path   = "examples/data/sales.csv",
  schema = "sale_id int64, store string, item string, quantity int32, price decimal(12,2)",
}
  :with { total = function(s) return s.quantity * s.price end }
  :top(1, { per = "store", by = { "-total", "sale_id" }, rank = "place" })
  :select { "store", "place", "item", "total" }

return tm.batch { name = "top", best:to(tm.stdout()) }
