-- TPC-H Q5, local supplier volume: revenue of 1994 within each Asian nation, where customer and
-- supplier are of the same nation.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1994-01-01"
local after <const> = first + tm.months(12)

local asia = tables.nation()
  :join(tables.region():filter(function(r) return r.r_name == "ASIA" end),
    { kind = "semi", on = { n_regionkey = "r_regionkey" } })

local suppliers = tables.supplier()
  :join(asia, { on = { s_nationkey = "n_nationkey" }, take = { "n_name" } })
  :select { "s_suppkey", "s_nationkey", "n_name" }

local orders = tables.orders()
  :filter(function(o) return o.o_orderdate >= first and o.o_orderdate < after end)
  :join(tables.customer(), { on = { o_custkey = "c_custkey" }, take = { "c_nationkey" } })
  :select { "o_orderkey", "c_nationkey" }

local volume = tables.lineitem()
  :join(orders, { on = { l_orderkey = "o_orderkey" } })
  :join(suppliers, { on = { l_suppkey = "s_suppkey", c_nationkey = "s_nationkey" } })
  :group_by "n_name"
  :agg { revenue = tm.sum(function(l) return l.l_extendedprice * (1 - l.l_discount) end) }
  :sort "-revenue"

return tm.batch { name = "tpch-q05", volume:to(tm.stdout()) }
