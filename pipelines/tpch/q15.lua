-- TPC-H Q15, top supplier: who contributed the most revenue in the first quarter of 1996.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1996-01-01"
local after <const> = first + tm.months(3)

local revenue = tables.lineitem()
  :filter(function(l) return l.l_shipdate >= first and l.l_shipdate < after end)
  :group_by "l_suppkey"
  :agg { total_revenue = tm.sum(function(l) return l.l_extendedprice * (1 - l.l_discount) end) }

local best = revenue:agg { best_revenue = tm.max "total_revenue" }

local suppliers = tables.supplier()
  :join(revenue, { on = { s_suppkey = "l_suppkey" } })
  :join(best, { on = {}, where = function(s, b) return s.total_revenue == b.best_revenue end })
  :select { "s_suppkey", "s_name", "s_address", "s_phone", "total_revenue" }
  :sort "s_suppkey"

return tm.batch { name = "tpch-q15", suppliers:to(tm.stdout()) }
