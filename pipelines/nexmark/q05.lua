-- Nexmark Q5, hot items: the auctions with most bids in the last ten seconds, every two seconds.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local hot = events.bid(true)
  :group_by "auction"
  :window(tm.hopping("10s", "2s"))
  :agg { num = tm.count() }
  :top(1, { by = "-num", per = { "window_start", "window_end" }, ties = "all" })
  :select("auction", "num")

return tm.stream { name = "nexmark-q05", events.output(hot) }
