-- Nexmark Q7, highest bid: the bids with the highest price of each ten seconds. As in the suite,
-- one at the very end of a period counts for it as well as for the next.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local highest = events.bid(true):window(tm.tumbling "10s"):agg { tm.max "price" }

-- The bids come from a source of their own, so that they need not wait for their period to end: all
-- that the join holds is a few rows of the other side. A window's time is its end less 1 us.
local winners = events.bid(true)
  :join_interval(highest, { on = "price", from = "-1us", to = "9999999us", take = {} })
  :select("auction", "bidder", "price", "dateTime", "extra")

return tm.stream { name = "nexmark-q07", events.output(winners) }
