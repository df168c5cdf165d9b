-- Nexmark Q11, user sessions: how often each bidder bid without a pause of more than ten seconds.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local sessions = events.bid(true)
  :group_by "bidder"
  :window(tm.session "10s")
  :agg { bid_count = tm.count() }
  :rename { starttime = "window_start", endtime = "window_end" }
  :select("bidder", "bid_count", "starttime", "endtime")

return tm.stream { name = "nexmark-q11", events.output(sessions) }
