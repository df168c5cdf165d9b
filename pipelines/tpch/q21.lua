-- TPC-H Q21, suppliers who kept orders waiting: Saudi suppliers who alone were late in an order
-- that others supplied too; the 100 with the most such lines.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local function is_late(l) return l.l_receiptdate > l.l_commitdate end
local function of_others(l, other) return l.l_suppkey ~= other.l_suppkey end

local saudi = tables.nation():filter(function(n) return n.n_name == "SAUDI ARABIA" end)

local suppliers = tables.supplier()
  :join(saudi, { kind = "semi", on = { s_nationkey = "n_nationkey" } })
  :select { "s_suppkey", "s_name" }

local failed = tables.orders():filter(function(o) return o.o_orderstatus == "F" end)

-- The few lines of these suppliers come first; then EXISTS is a semi join and NOT EXISTS an anti
-- join, each with the rest of its condition in `where`.
local counts = tables.lineitem()
  :filter(is_late)
  :join(suppliers, { on = { l_suppkey = "s_suppkey" } })
  :join(failed, { kind = "semi", on = { l_orderkey = "o_orderkey" } })
  :join(tables.lineitem(), { kind = "semi", on = "l_orderkey", where = of_others })
  :join(tables.lineitem():filter(is_late), { kind = "anti", on = "l_orderkey", where = of_others })
  :group_by "s_name"
  :agg { numwait = tm.count() }
  :top(100, { by = { "-numwait", "s_name" } })

return tm.batch { name = "tpch-q21", counts:to(tm.stdout()) }
