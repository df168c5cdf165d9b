-- TPC-H Q20, potential part promotion: Canadian suppliers with more stock of some forest part than
-- half of what was shipped of it in 1994.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1994-01-01"
local after <const> = first + tm.months(12)

local parts = tables.part()
  :filter(function(p) return tm.like(p.p_name, "forest%") end)
  :select "p_partkey"

local shipped = tables.lineitem()
  :filter(function(l) return l.l_shipdate >= first and l.l_shipdate < after end)
  :join(parts, { kind = "semi", on = { l_partkey = "p_partkey" } })
  :group_by("l_partkey", "l_suppkey")
  :agg { quantity = tm.sum "l_quantity" }

local surplus = tables.partsupp()
  :join(shipped, {
    kind  = "semi",
    on    = { ps_partkey = "l_partkey", ps_suppkey = "l_suppkey" },
    where = function(p, s) return p.ps_availqty > s.quantity * tm.dec "0.5" end,
  })
  :select "ps_suppkey"

local canada = tables.nation():filter(function(n) return n.n_name == "CANADA" end)

local suppliers = tables.supplier()
  :join(canada, { kind = "semi", on = { s_nationkey = "n_nationkey" } })
  :join(surplus, { kind = "semi", on = { s_suppkey = "ps_suppkey" } })
  :select { "s_name", "s_address" }
  :sort "s_name"

return tm.batch { name = "tpch-q20", suppliers:to(tm.stdout()) }
