-- TPC-H Q4, order priority checking: orders of the third quarter of 1993 with at least one line
-- that was received after its commit date, by priority.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1993-07-01"
local after <const> = first + tm.months(3)

local late_lines = tables.lineitem()
  :filter(function(l) return l.l_commitdate < l.l_receiptdate end)

local counts = tables.orders()
  :filter(function(o) return o.o_orderdate >= first and o.o_orderdate < after end)
  :join(late_lines, { kind = "semi", on = { o_orderkey = "l_orderkey" } })
  :group_by "o_orderpriority"
  :agg { order_count = tm.count() }
  :sort "o_orderpriority"

return tm.batch { name = "tpch-q04", counts:to(tm.stdout()) }
