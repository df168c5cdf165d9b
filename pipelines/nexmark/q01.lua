-- Nexmark Q1, currency conversion: the price of every bid in euros.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local rate <const> = tm.dec "0.908"

local bids = events.bid()
  :select("auction", "bidder", "price", "dateTime", "extra")
  :with { price = { function(b) return rate * b.price end, "decimal(23,3)" } }

return tm.stream { name = "nexmark-q01", events.output(bids) }
