-- TPC-H Q17, small-quantity-order revenue: what would be lost a year if orders of less than a
-- fifth of a part's average quantity were refused, for one brand in medium boxes.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local parts = tables.part()
  :filter(function(p) return p.p_brand == "Brand#23" and p.p_container == "MED BOX" end)
  :select "p_partkey"

local lines = tables.lineitem()
  :join(parts, { kind = "semi", on = { l_partkey = "p_partkey" } })
  :select { "l_partkey", "l_quantity", "l_extendedprice" }

local averages = lines
  :group_by "l_partkey"
  :agg { avg_quantity = tm.avg "l_quantity" }

local lost = lines
  :join(averages, {
    on    = "l_partkey",
    where = function(l, a) return l.l_quantity < tm.dec "0.2" * a.avg_quantity end,
  })
  :agg { total = tm.sum "l_extendedprice" }
  :with { avg_yearly = function(r) return r.total and r.total / 7 end }
  :select "avg_yearly"

return tm.batch { name = "tpch-q17", lost:to(tm.stdout()) }
