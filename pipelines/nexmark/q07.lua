-- Nexmark Q7, highest bid: the bids with the highest price of each ten seconds.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local highest = events.bid(true)
  :window(tm.tumbling "10s")
  :top(1, { by = "-price", ties = "all" })
  :select("auction", "bidder", "price", "dateTime", "extra")

return tm.stream { name = "nexmark-q07", events.output(highest) }
