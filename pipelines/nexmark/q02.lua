-- Nexmark Q2, selection: bids on every 123rd auction.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local bids = events.bid()
  :filter(function(b) return b.auction % 123 == 0 end)
  :select("auction", "price")

return tm.stream { name = "nexmark-q02", events.output(bids) }
