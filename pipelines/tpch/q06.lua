-- TPC-H Q6, forecasting revenue change: what 1994 would have brought without its discounts of
-- 5 to 7 percent on small quantities.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local first <const> = tm.day "1994-01-01"
local after <const> = first + tm.months(12)

local revenue = tables.lineitem()
  :filter(function(l)
    return l.l_shipdate >= first and l.l_shipdate < after
       and l.l_discount >= tm.dec "0.05" and l.l_discount <= tm.dec "0.07"
       and l.l_quantity < 24
  end)
  :agg { revenue = tm.sum(function(l) return l.l_extendedprice * l.l_discount end) }

return tm.batch { name = "tpch-q06", revenue:to(tm.stdout()) }
