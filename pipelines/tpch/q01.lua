-- TPC-H Q1, pricing summary report: what was billed, shipped and returned up to 90 days before
-- 1998-12-01, by return flag and line status.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local last_day <const> = tm.day "1998-12-01" + tm.days(-90)

local function disc_price(l) return l.l_extendedprice * (1 - l.l_discount) end
local function charge(l) return l.l_extendedprice * (1 - l.l_discount) * (1 + l.l_tax) end

local summary = tables.lineitem()
  :filter(function(l) return l.l_shipdate <= last_day end)
  :group_by("l_returnflag", "l_linestatus")
  :agg {
    tm.sum "l_quantity":as "sum_qty",
    tm.sum "l_extendedprice":as "sum_base_price",
    tm.sum(disc_price):as "sum_disc_price",
    tm.sum(charge):as "sum_charge",
    tm.avg "l_quantity":as "avg_qty",
    tm.avg "l_extendedprice":as "avg_price",
    tm.avg "l_discount":as "avg_disc",
    tm.count():as "count_order",
  }
  :sort { "l_returnflag", "l_linestatus" }

return tm.batch { name = "tpch-q01", summary:to(tm.stdout()) }
