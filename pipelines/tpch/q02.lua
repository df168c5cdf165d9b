-- TPC-H Q2, minimum cost supplier: for each brass part of size 15, the European suppliers that
-- offer it at the least cost; the 100 with the greatest account balance.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local europe = tables.nation()
  :join(tables.region():filter(function(r) return r.r_name == "EUROPE" end),
    { kind = "semi", on = { n_regionkey = "r_regionkey" } })

local suppliers = tables.supplier()
  :join(europe, { on = { s_nationkey = "n_nationkey" }, take = { "n_name" } })

local parts = tables.part()
  :filter(function(p) return p.p_size == 15 and tm.like(p.p_type, "%BRASS") end)
  :select { "p_partkey", "p_mfgr" }

local offers = tables.partsupp()
  :join(parts, { on = { ps_partkey = "p_partkey" } })
  :join(suppliers, { on = { ps_suppkey = "s_suppkey" } })

local cheapest = offers
  :group_by "p_partkey"
  :agg { tm.min "ps_supplycost":as "least_cost" }

local best = offers
  :join(cheapest, { kind = "semi", on = { "p_partkey", ps_supplycost = "least_cost" } })
  :select {
    "s_acctbal", "s_name", "n_name", "p_partkey", "p_mfgr", "s_address", "s_phone", "s_comment",
  }
  :top(100, { by = { "-s_acctbal", "n_name", "s_name", "p_partkey" } })

return tm.batch { name = "tpch-q02", best:to(tm.stdout()) }
