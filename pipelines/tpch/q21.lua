-- TPC-H Q21, suppliers who kept orders waiting: Saudi suppliers who alone were late in an order
-- that others supplied too; the 100 with the most such lines.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local function is_late(l) return l.l_receiptdate > l.l_commitdate end

-- One pass over the lines decides both EXISTS of the query: an order has several suppliers if its
-- least and greatest supplier differ, and a single late one if those of its late lines agree.
local waiting = tables.lineitem()
  :group_by "l_orderkey"
  :agg {
    first      = tm.min "l_suppkey",
    last       = tm.max "l_suppkey",
    first_late = tm.min("l_suppkey", { where = is_late }),
    last_late  = tm.max("l_suppkey", { where = is_late }),
    late_lines = tm.count { where = is_late },
  }
  :filter(function(o) return o.first ~= o.last and o.first_late and o.first_late == o.last_late end)

local saudi = tables.nation():filter(function(n) return n.n_name == "SAUDI ARABIA" end)

local suppliers = tables.supplier()
  :join(saudi, { kind = "semi", on = { s_nationkey = "n_nationkey" } })
  :select { "s_suppkey", "s_name" }

local failed = tables.orders():filter(function(o) return o.o_orderstatus == "F" end)

local counts = waiting
  :join(suppliers, { on = { first_late = "s_suppkey" } })
  :join(failed, { kind = "semi", on = { l_orderkey = "o_orderkey" } })
  :group_by "s_name"
  :agg { numwait = tm.sum "late_lines" }
  :top(100, { by = { "-numwait", "s_name" } })

return tm.batch { name = "tpch-q21", counts:to(tm.stdout()) }
