-- TPC-H Q7, volume shipping: what France shipped to Germany and Germany to France in 1995 and
-- 1996, by year.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const>, last <const> = tm.day "1995-01-01", tm.day "1996-12-31"

local nations = tables.nation()
  :filter(function(n) return n.n_name == "FRANCE" or n.n_name == "GERMANY" end)

local suppliers = tables.supplier()
  :join(nations, { on = { s_nationkey = "n_nationkey" }, take = { supp_nation = "n_name" } })
  :select { "s_suppkey", "supp_nation" }

local customers = tables.customer()
  :join(nations, { on = { c_nationkey = "n_nationkey" }, take = { cust_nation = "n_name" } })
  :select { "c_custkey", "cust_nation" }

local orders = tables.orders()
  :join(customers, { on = { o_custkey = "c_custkey" } })
  :select { "o_orderkey", "cust_nation" }

local shipping = tables.lineitem()
  :filter(function(l) return l.l_shipdate >= first and l.l_shipdate <= last end)
  :join(suppliers, { on = { l_suppkey = "s_suppkey" } })
  :join(orders, {
    on    = { l_orderkey = "o_orderkey" },
    where = function(l, o) return l.supp_nation ~= o.cust_nation end,
  })
  :with {
    l_year = function(l) return tm.year(l.l_shipdate) end,
    volume = function(l) return l.l_extendedprice * (1 - l.l_discount) end,
  }
  :group_by("supp_nation", "cust_nation", "l_year")
  :agg { revenue = tm.sum "volume" }
  :sort { "supp_nation", "cust_nation", "l_year" }

return tm.batch { name = "tpch-q07", shipping:to(tm.stdout()) }
