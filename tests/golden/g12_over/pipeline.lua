-- Ranks, neighbours, running and ranged aggregates of each store, by event time or by quantity.
local tm <const> = require "tidemill"
local sales = tm.csv {
  path = "sales.csv", schema = "store string, qty int32, price decimal(8,2), at timestamp",
  time = { field = "at", out_of_order = "0s" },
}
local how <const> = tm.param "how"
local flow = how == "time" and sales:over {
    per = "store", session = "1h", tm.row_number():as "n", tm.rank():as "rank",
    before = tm.lag("qty", 1), behind = tm.lead("qty", 1), total = tm.sum "qty",
    mean = tm.avg("price", { rows = 2 }), hour = tm.count { range = "1h" },
    dearest = tm.max("price", { range = "90m" }), first = tm.first "price",
  }
  or how == "quantity" and sales:over {
    per = "store", by = { "-qty", "price" }, n = tm.row_number(), rank = tm.rank(),
    odd = tm.sum(function(s) return s.qty % 2 end, { where = function(s) return s.qty ~= nil end }),
  }
  or sales:over { by = "at", n = tm.row_number() }
return tm.batch { name = "over", flow:to(tm.stdout()) }
