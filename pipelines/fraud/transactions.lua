-- Card transactions, made up, as fraud.lua takes them: txns.jsonl. The same parameters give the
-- same file.
--
--   tidemill run pipelines/fraud/transactions.lua --param data=build/fraud
--
-- Parameters: data (the folder that is written), rows (how many transactions), cards (how many).
--
-- Most are bought at home, now and then; every so often a stolen card is used in a burst, in
-- several countries. One in fifty is sent twice; all arrive up to 25 s out of order.

local tm <const> = require "tidemill"

local data <const>  = tm.param("data", "build/fraud")
local rows <const>  = tm.param("rows", 20000)
local cards <const> = tm.param("cards", 500)

local first <const> = tm.time "2026-03-02T08:00:00Z"
local second <const> = 1000000
local countries <const> = { "DE", "FR", "PL", "US", "BR", "SG" }

-- A number from 0 to 999 that looks random.
local function chance(i, salt)
  local x = i * 2654435761 + salt * 40503
  x = (x ~ (x >> 15)) * 2246822519
  return ((x ~ (x >> 13)) & 0x7fffffff) % 1000
end

local txns = tm.generate {
  rows = rows,
  schema = "txn_id string, card string, amount decimal(12,2), country string, at timestamp",
  row = function(i)
    local n = chance(i, 1) < 20 and i > 1 and i - 1 or i       -- sent twice
    local burst = n // 400 % 3 == 1 and chance(n, 2) < 40      -- a stolen card's turn
    local card = burst and n // 400 or chance(n, 3) * cards // 1000
    local country = burst and countries[chance(n, 4) % 6 + 1] or countries[card % 3 + 1]
    local cents = burst and 15000 + chance(n, 5) * 60 or 100 + chance(n, 5) * 10
    return {
      txn_id = ("t%07d"):format(n),
      card = ("c%04d"):format(card),
      amount = tm.dec(("%d.%02d"):format(cents // 100, cents % 100)),
      country = country,
      at = first + n * second - chance(n, 6) * 25 // 1000 * second,
    }
  end,
}

return tm.batch {
  name = "transactions",
  txns:to(tm.jsonl(data .. "/txns.jsonl")),
}
