-- TPC-H Q8, national market share: Brazil's share of the revenue from one type of steel part in
-- America, 1995 and 1996.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const>, last <const> = tm.day "1995-01-01", tm.day "1996-12-31"

local parts = tables.part()
  :filter(function(p) return p.p_type == "ECONOMY ANODIZED STEEL" end)
  :select "p_partkey"

local america = tables.nation()
  :join(tables.region():filter(function(r) return r.r_name == "AMERICA" end),
    { kind = "semi", on = { n_regionkey = "r_regionkey" } })

local customers = tables.customer()
  :join(america, { kind = "semi", on = { c_nationkey = "n_nationkey" } })
  :select "c_custkey"

local orders = tables.orders()
  :filter(function(o) return o.o_orderdate >= first and o.o_orderdate <= last end)
  :join(customers, { kind = "semi", on = { o_custkey = "c_custkey" } })
  :select { "o_orderkey", "o_orderdate" }

local suppliers = tables.supplier()
  :join(tables.nation(), { on = { s_nationkey = "n_nationkey" }, take = { nation = "n_name" } })
  :select { "s_suppkey", "nation" }

local share = tables.lineitem()
  :join(parts, { kind = "semi", on = { l_partkey = "p_partkey" } })
  :join(orders, { on = { l_orderkey = "o_orderkey" } })
  :join(suppliers, { on = { l_suppkey = "s_suppkey" } })
  :with {
    o_year = function(l) return tm.year(l.o_orderdate) end,
    volume = function(l) return l.l_extendedprice * (1 - l.l_discount) end,
  }
  :group_by "o_year"
  :agg {
    brazil = tm.sum(function(l) return l.nation == "BRAZIL" and l.volume or tm.dec "0" end),
    total  = tm.sum "volume",
  }
  :with { mkt_share = function(y) return y.brazil / y.total end }
  :select { "o_year", "mkt_share" }
  :sort "o_year"

return tm.batch { name = "tpch-q08", share:to(tm.stdout()) }
