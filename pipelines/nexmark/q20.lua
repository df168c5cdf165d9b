-- Nexmark Q20, expand bid: bids on auctions of category 10, with all that is known of the auction.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local auctions = events.auction():filter(function(a) return a.category == 10 end)

local bids = events.bid()
  :rename { bid_dateTime = "dateTime", bid_extra = "extra" }
  :join(auctions, {
    on = { auction = "id" },
    take = {
      "itemName", "description", "initialBid", "reserve", "expires", "seller", "category",
      auction_dateTime = "dateTime", auction_extra = "extra",
    },
  })
  :select("auction", "bidder", "price", "channel", "url", "bid_dateTime", "bid_extra", "itemName",
    "description", "initialBid", "reserve", "auction_dateTime", "expires", "seller", "category",
    "auction_extra")

return tm.stream { name = "nexmark-q20", events.output(bids) }
