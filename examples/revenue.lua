-- Two files joined, then added up. Money is decimal, so sums are exact to the cent.
--
--   tidemill run examples/revenue.lua

local tm <const> = require "tidemill"

local sales = tm.csv {
  path   = "examples/data/sales.csv",
  schema = "store string, item string, quantity int32, price decimal(12,2)",
}

local stores = tm.csv { path = "examples/data/stores.csv", schema = "store string, country string" }

local revenue = sales
  :join(stores, { on = "store" })
  :with { revenue = function(s) return s.quantity * s.price end }
  :group_by "country"
  :agg { tm.count():as "sales", tm.sum "revenue", tm.count_distinct "item":as "items" }

return tm.batch { name = "revenue", revenue:to(tm.stdout()) }
