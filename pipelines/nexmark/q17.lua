-- Nexmark Q17, auction statistics: how many bids each auction had in a day, and their prices.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local statistics = events.bid()
  :with { day = function(b) return tm.format(b.dateTime, "%Y-%m-%d") end }
  :group_by("auction", "day")
  :agg {
    tm.count():as "total_bids",
    tm.count { where = function(b) return b.price < 10000 end }:as "rank1_bids",
    tm.count { where = function(b) return b.price >= 10000 and b.price < 1000000 end }
      :as "rank2_bids",
    tm.count { where = function(b) return b.price >= 1000000 end }:as "rank3_bids",
    tm.min "price":as "min_price",
    tm.max "price":as "max_price",
    tm.avg "price":as "avg_price",
    tm.sum "price":as "sum_price",
  }

return tm.stream { name = "nexmark-q17", events.output(statistics) }
