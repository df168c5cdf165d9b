local tm <const> = require "tidemill"
local orders = tm.jsonl { path = "orders.jsonl",
                          schema = "id string, amount float64, country string" }
local enriched = orders:map(function(e)
  return { id = e.id, cc = string.lower(e.country), net = e.amount * 2 }
end):name "enrich"
return tm.batch { name = "orders", enriched:to(tm.csv "out/orders.csv") }
