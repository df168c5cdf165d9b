-- Nexmark Q19, auction top ten: the ten highest bids of each auction.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local highest = events.bid():top(10, { by = "-price", per = "auction", rank = "rank_number" })

return tm.stream { name = "nexmark-q19", events.output(highest) }
