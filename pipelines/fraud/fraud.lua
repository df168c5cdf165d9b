-- Card fraud: for every transaction, what its card did in the ten minutes up to it.
--
--   tidemill run pipelines/fraud/transactions.lua                  makes transactions, once
--   tidemill run pipelines/fraud/fraud.lua                         over this file, as a stream
--   tidemill run pipelines/fraud/fraud.lua --as batch              the same alerts
--   tidemill run pipelines/fraud/fraud.lua --param listen=127.0.0.1:7002
--                                            JSON lines as they happen, for as long as it runs
--
-- Parameters: data (the folder with txns.jsonl), out (the folder of the results), listen (an
-- address to take transactions from instead of the file).

local tm <const> = require "tidemill"

local data <const>   = tm.param("data", "build/fraud")
local out <const>    = tm.param("out", "build/fraud/out")
local listen <const> = tm.param("listen", "")

local source = {
  schema = [[ txn_id string not null, card string not null, amount decimal(12,2) not null,
              country string, at timestamp not null ]],
  time   = { field = "at", out_of_order = "30s", late = tm.jsonl(out .. "/late.jsonl") },
  bad    = tm.jsonl(out .. "/rejects.jsonl"),
}

local txns
if listen ~= "" then
  source.listen, source.format, source.time.idle = listen, "jsonl", "10s"
  txns = tm.tcp(source)
else
  source.path = data .. "/txns.jsonl"
  txns = tm.jsonl(source)
end

-- Velocity, many payments and much money within ten minutes; or three countries. One alert a burst:
-- `once` is silent for ten minutes after each.
local alerts = txns
  :dedup("txn_id", { within = "1h" })
  :group_by "card"
  :window(tm.sliding "10m")
  :agg { tm.count():as "n", tm.sum "amount":as "spent", tm.count_distinct "country":as "countries",
         tm.max "amount":as "largest" }
  :filter(function(w)
    return w.n >= 5 and w.spent > tm.dec "2000" or w.countries >= 3
  end)
  :once { per = "card", within = "10m" }
  :with {
    severity = function(w) return w.countries >= 3 and "high" or "medium" end,
    alert_id = tm.id("card", "window_end"),
  }
  :name "alerts"

return tm.stream {
  name = "fraud",

  alerts:to(tm.csv(out .. "/alerts.csv")),
  alerts:filter(function(a) return a.severity == "high" end):to(tm.jsonl(out .. "/high.jsonl")),
}
