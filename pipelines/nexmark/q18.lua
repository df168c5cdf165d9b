-- Nexmark Q18, last bid: the latest bid of each bidder on each auction.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local last = events.bid():top(1, { by = "-dateTime", per = { "bidder", "auction" } })

return tm.stream { name = "nexmark-q18", events.output(last) }
