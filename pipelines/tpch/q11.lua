-- TPC-H Q11, important stock identification: the parts whose stock in Germany is worth more than
-- 0.0001 of all stock there.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local fraction <const> = tm.dec "0.0001"

local germany = tables.nation():filter(function(n) return n.n_name == "GERMANY" end)

local suppliers = tables.supplier()
  :join(germany, { kind = "semi", on = { s_nationkey = "n_nationkey" } })

local stock = tables.partsupp()
  :join(suppliers, { kind = "semi", on = { ps_suppkey = "s_suppkey" } })
  :group_by "ps_partkey"
  :agg { value = tm.sum(function(p) return p.ps_supplycost * p.ps_availqty end) }

local total = stock:agg { total = tm.sum "value" }

local important = stock
  :join(total, { on = {}, where = function(s, t) return s.value > t.total * fraction end })
  :select { "ps_partkey", "value" }
  :sort "-value"

return tm.batch { name = "tpch-q11", important:to(tm.stdout()) }
