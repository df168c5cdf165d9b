-- Nexmark Q4, average price for a category: the mean of what auctions went for, which is the
-- highest bid while they were open.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local averages = events.auction(true)
  :join_interval(events.bid(true), {
    on = { id = "auction" }, from = "0s", to = "expires", take = { "price" },
  })
  :group_by("id", "category")
  :agg { final = tm.max "price" }
  :group_by "category"
  :agg { final = tm.avg "final" }
  :rename { id = "category" }

return tm.stream { name = "nexmark-q04", events.output(averages) }
