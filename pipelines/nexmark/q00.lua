-- Nexmark Q0, pass through: every bid as it is.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local bids = events.bid():select("auction", "bidder", "price", "dateTime", "extra")

return tm.stream { name = "nexmark-q00", events.output(bids) }
