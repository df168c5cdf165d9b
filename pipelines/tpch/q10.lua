-- TPC-H Q10, returned items: the 20 customers who cost the most revenue by returning goods that
-- they had ordered in the last quarter of 1993.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1993-10-01"
local after <const> = first + tm.months(3)

local orders = tables.orders()
  :filter(function(o) return o.o_orderdate >= first and o.o_orderdate < after end)
  :select { "o_orderkey", "o_custkey" }

local lost = tables.lineitem()
  :filter(function(l) return l.l_returnflag == "R" end)
  :join(orders, { on = { l_orderkey = "o_orderkey" } })
  :group_by "o_custkey"
  :agg { revenue = tm.sum(function(l) return l.l_extendedprice * (1 - l.l_discount) end) }

-- The wide text columns are joined to the sums, not carried through the aggregation.
local customers = tables.customer()
  :join(lost, { on = { c_custkey = "o_custkey" } })
  :join(tables.nation(), { on = { c_nationkey = "n_nationkey" }, take = { "n_name" } })
  :select {
    "c_custkey", "c_name", "revenue", "c_acctbal", "n_name", "c_address", "c_phone", "c_comment",
  }
  :top(20, { by = "-revenue" })

return tm.batch { name = "tpch-q10", customers:to(tm.stdout()) }
