-- TPC-H Q14, promotion effect: the percentage of the revenue of September 1995 that came from
-- promoted parts.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1995-09-01"
local after <const> = first + tm.months(1)

local lines = tables.lineitem()
  :filter(function(l) return l.l_shipdate >= first and l.l_shipdate < after end)
  :select { "l_partkey", revenue = "l_extendedprice", "l_discount" }

local effect = tables.part()
  :join(lines, { on = { p_partkey = "l_partkey" } })
  :with { revenue = function(l) return l.revenue * (1 - l.l_discount) end }
  :agg {
    promo = tm.sum(function(l) return tm.like(l.p_type, "PROMO%") and l.revenue or tm.dec "0" end),
    total = tm.sum "revenue",
  }
  :with { promo_revenue = function(r) return 100 * r.promo / r.total end }
  :select "promo_revenue"

return tm.batch { name = "tpch-q14", effect:to(tm.stdout()) }
