-- Nexmark Q9, winning bids: of each auction the highest bid while it was open, the first of equals.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local winners = events.auction(true)
  :join_interval(events.bid(true), {
    on = { id = "auction" }, from = "0s", to = "expires",
    take = { "auction", "bidder", "price", bid_dateTime = "dateTime", bid_extra = "extra" },
  })
  :top(1, { by = { "-price", "bid_dateTime" }, per = "id" })

return tm.stream { name = "nexmark-q09", events.output(winners) }
