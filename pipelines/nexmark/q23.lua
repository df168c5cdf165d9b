-- Nexmark Q23, expand bid with person and auction: bids of persons who sell as well, once for each
-- of their auctions.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local bids = events.bid()
  :select { "bidder", "price", "channel", "url", bid_extra = "extra" }
  :join(events.person(), {
    on = { bidder = "id" },
    take = {
      "name", "emailAddress", "creditCard", "city", "state",
      person_id = "id", person_extra = "extra",
    },
  })
  :join(events.auction(), {
    on = { bidder = "seller" },
    take = {
      "itemName", "description", "initialBid", "reserve", "expires", "seller", "category",
      auction_dateTime = "dateTime", auction_extra = "extra",
    },
  })
  :select("bidder", "price", "channel", "url", "bid_extra", "person_id", "name", "emailAddress",
    "creditCard", "city", "state", "person_extra", "itemName", "description", "initialBid",
    "reserve", "auction_dateTime", "expires", "seller", "category", "auction_extra")

return tm.stream { name = "nexmark-q23", events.output(bids) }
