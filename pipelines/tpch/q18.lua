-- TPC-H Q18, large volume customer: the 100 most valuable orders of more than 300 items, and who
-- placed them.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local large = tables.lineitem()
  :group_by "l_orderkey"
  :agg { quantity = tm.sum "l_quantity" }
  :filter(function(o) return o.quantity > 300 end)

-- An order's key names one order and one customer: its sum needs no second grouping.
local orders = tables.orders()
  :join(large, { on = { o_orderkey = "l_orderkey" } })
  :join(tables.customer(), { on = { o_custkey = "c_custkey" }, take = { "c_name", "c_custkey" } })
  :select {
    "c_name", "c_custkey", "o_orderkey", "o_orderdate", "o_totalprice",
    ["sum(l_quantity)"] = "quantity",
  }
  :top(100, { by = { "-o_totalprice", "o_orderdate" } })

return tm.batch { name = "tpch-q18", orders:to(tm.stdout()) }
