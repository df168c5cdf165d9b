-- Nexmark Q13, bounded side input join: what a table says of a bid's auction.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local bids = events.bid()
  :with { key = function(b) return b.auction % 10000 end }
  :lookup(events.side_input(), { on = "key", take = { "value" }, miss = "drop" })
  :select("auction", "bidder", "price", "dateTime", "value")

return tm.stream { name = "nexmark-q13", events.output(bids) }
