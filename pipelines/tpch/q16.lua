-- TPC-H Q16, parts and supplier relationship: how many suppliers without complaints can supply
-- parts of eight sizes, neither of brand 45 nor medium polished, by brand, type and size.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local sizes <const> = {
  [49] = true, [14] = true, [23] = true, [45] = true,
  [19] = true, [3] = true, [36] = true, [9] = true,
}

local parts = tables.part()
  :filter(function(p)
    return p.p_brand ~= "Brand#45" and not tm.like(p.p_type, "MEDIUM POLISHED%") and sizes[p.p_size]
  end)
  :select { "p_partkey", "p_brand", "p_type", "p_size" }

local complaints = tables.supplier()
  :filter(function(s) return tm.like(s.s_comment, "%Customer%Complaints%") end)

local counts = tables.partsupp()
  :join(parts, { on = { ps_partkey = "p_partkey" } })
  :join(complaints, { kind = "anti", on = { ps_suppkey = "s_suppkey" } })
  :group_by("p_brand", "p_type", "p_size")
  :agg { supplier_cnt = tm.count_distinct "ps_suppkey" }
  :sort { "-supplier_cnt", "p_brand", "p_type", "p_size" }

return tm.batch { name = "tpch-q16", counts:to(tm.stdout()) }
