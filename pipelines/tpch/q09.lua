-- TPC-H Q9, product type profit: profit on parts with "green" in the name, by the supplier's
-- nation and year.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local parts = tables.part()
  :filter(function(p) return tm.like(p.p_name, "%green%") end)
  :select "p_partkey"

local suppliers = tables.supplier()
  :join(tables.nation(), { on = { s_nationkey = "n_nationkey" }, take = { nation = "n_name" } })
  :select { "s_suppkey", "nation" }

local costs = tables.partsupp()
  :join(parts, { kind = "semi", on = { ps_partkey = "p_partkey" } })
  :join(suppliers, { on = { ps_suppkey = "s_suppkey" } })
  :select { "ps_partkey", "ps_suppkey", "ps_supplycost", "nation" }

local profit = tables.lineitem()
  :join(costs, { on = { l_partkey = "ps_partkey", l_suppkey = "ps_suppkey" } })
  :join(tables.orders(), { on = { l_orderkey = "o_orderkey" }, take = { "o_orderdate" } })
  :with {
    o_year = function(l) return tm.year(l.o_orderdate) end,
    amount = function(l)
      return l.l_extendedprice * (1 - l.l_discount) - l.ps_supplycost * l.l_quantity
    end,
  }
  :group_by("nation", "o_year")
  :agg { sum_profit = tm.sum "amount" }
  :sort { "nation", "-o_year" }

return tm.batch { name = "tpch-q09", profit:to(tm.stdout()) }
