-- TPC-H Q3, shipping priority: the ten unshipped orders of the building segment with the greatest
-- revenue as of 1995-03-15.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local as_of <const> = tm.day "1995-03-15"

local customers = tables.customer()
  :filter(function(c) return c.c_mktsegment == "BUILDING" end)
  :select "c_custkey"

local orders = tables.orders()
  :filter(function(o) return o.o_orderdate < as_of end)
  :join(customers, { kind = "semi", on = { o_custkey = "c_custkey" } })
  :select { "o_orderkey", "o_orderdate", "o_shippriority" }

local revenue = tables.lineitem()
  :filter(function(l) return l.l_shipdate > as_of end)
  :join(orders, { on = { l_orderkey = "o_orderkey" } })
  :group_by("l_orderkey", "o_orderdate", "o_shippriority")
  :agg { revenue = tm.sum(function(l) return l.l_extendedprice * (1 - l.l_discount) end) }
  :select { "l_orderkey", "revenue", "o_orderdate", "o_shippriority" }
  :top(10, { by = { "-revenue", "o_orderdate" } })

return tm.batch { name = "tpch-q03", revenue:to(tm.stdout()) }
