-- Nexmark Q8, monitor new users: who has come and opened an auction within the same ten seconds.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local period <const> = tm.tumbling "10s"

local sellers = events.auction(true):group_by "seller":window(period):agg { auctions = tm.count() }

local users = events.person(true)
  :group_by("id", "name")
  :window(period)
  :agg { persons = tm.count() }
  :join(sellers, { kind = "semi", on = { "window_start", "window_end", id = "seller" } })
  :rename { stime = "window_start" }
  :select("id", "name", "stime")

return tm.stream { name = "nexmark-q08", events.output(users) }
