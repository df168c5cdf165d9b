-- Nexmark Q6, average selling price by seller: what a seller's auctions went for, averaged over
-- each and the ten before it, in the order of their winning bids.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local averages = events.auction(true)
  :join_interval(events.bid(true), {
    on = { id = "auction" }, from = "0s", to = "expires",
    take = { "price", bid_dateTime = "dateTime" },
  })
  :top(1, { by = { "-price", "bid_dateTime" }, per = "id" })
  :over { per = "seller", by = "bid_dateTime", avg_price = tm.avg("price", { rows = 11 }) }
  :select("seller", "avg_price")

return tm.stream { name = "nexmark-q06", events.output(averages) }
