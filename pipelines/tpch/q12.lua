-- TPC-H Q12, shipping modes and order priority: lines received late in 1994 by mail and ship,
-- split into urgent and other orders.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1994-01-01"
local after <const> = first + tm.months(12)

local function urgent(o)
  return o.o_orderpriority == "1-URGENT" or o.o_orderpriority == "2-HIGH"
end

local function other(o)
  return o.o_orderpriority ~= "1-URGENT" and o.o_orderpriority ~= "2-HIGH"
end

local late_lines = tables.lineitem()
  :filter(function(l)
    return (l.l_shipmode == "MAIL" or l.l_shipmode == "SHIP")
       and l.l_receiptdate >= first and l.l_receiptdate < after
       and l.l_commitdate < l.l_receiptdate and l.l_shipdate < l.l_commitdate
  end)
  :select { "l_orderkey", "l_shipmode" }

local counts = tables.orders()
  :join(late_lines, { on = { o_orderkey = "l_orderkey" } })
  :group_by "l_shipmode"
  :agg {
    tm.count { where = urgent }:as "high_line_count",
    tm.count { where = other }:as "low_line_count",
  }
  :sort "l_shipmode"

return tm.batch { name = "tpch-q12", counts:to(tm.stdout()) }
