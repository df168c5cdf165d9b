-- TPC-H Q13, customer distribution: how many customers have how many orders, those with none
-- included; orders with a special request do not count.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local orders = tables.orders()
  :filter(function(o) return not tm.like(o.o_comment, "%special%requests%") end)
  :select { "o_orderkey", "o_custkey" }

local distribution = tables.customer()
  :join(orders, { kind = "left", on = { c_custkey = "o_custkey" } })
  :group_by "c_custkey"
  :agg { c_count = tm.count "o_orderkey" }
  :group_by "c_count"
  :agg { custdist = tm.count() }
  :sort { "-custdist", "-c_count" }

return tm.batch { name = "tpch-q13", distribution:to(tm.stdout()) }
