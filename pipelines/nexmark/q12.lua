-- Nexmark Q12, processing time windows: how often each bidder bid in ten seconds of the wall clock.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local counts = events.bid()
  :group_by "bidder"
  :window(tm.tumbling("10s", { time = tm.processing_time }))
  :agg { bid_count = tm.count() }
  :rename { starttime = "window_start", endtime = "window_end" }
  :select("bidder", "bid_count", "starttime", "endtime")

return tm.stream { name = "nexmark-q12", events.output(counts) }
