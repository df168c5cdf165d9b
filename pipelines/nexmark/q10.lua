-- Nexmark Q10, log to file system: all bids, with the day and minute that files are named by.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local log = events.bid()
  :select("auction", "bidder", "price", "dateTime", "extra")
  :with {
    dt = function(b) return tm.format(b.dateTime, "%Y-%m-%d") end,
    hm = function(b) return tm.format(b.dateTime, "%H:%M") end,
  }

return tm.stream { name = "nexmark-q10", events.output(log) }
