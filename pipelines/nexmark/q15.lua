-- Nexmark Q15, bidding statistics: bids, bidders and auctions of each day, by three ranks of price.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local function rank1(b) return b.price < 10000 end
local function rank2(b) return b.price >= 10000 and b.price < 1000000 end
local function rank3(b) return b.price >= 1000000 end

local statistics = events.bid()
  :with { day = function(b) return tm.format(b.dateTime, "%Y-%m-%d") end }
  :group_by "day"
  :agg {
    tm.count():as "total_bids",
    tm.count { where = rank1 }:as "rank1_bids",
    tm.count { where = rank2 }:as "rank2_bids",
    tm.count { where = rank3 }:as "rank3_bids",
    tm.count_distinct "bidder":as "total_bidders",
    tm.count_distinct("bidder", { where = rank1 }):as "rank1_bidders",
    tm.count_distinct("bidder", { where = rank2 }):as "rank2_bidders",
    tm.count_distinct("bidder", { where = rank3 }):as "rank3_bidders",
    tm.count_distinct "auction":as "total_auctions",
    tm.count_distinct("auction", { where = rank1 }):as "rank1_auctions",
    tm.count_distinct("auction", { where = rank2 }):as "rank2_auctions",
    tm.count_distinct("auction", { where = rank3 }):as "rank3_auctions",
  }

return tm.stream { name = "nexmark-q15", events.output(statistics) }
