-- Visits: what a user looks at, with no pause of more than five minutes, is one visit.
--
--   tidemill run examples/sessions.lua

local tm <const> = require "tidemill"

local views = tm.csv {
  path   = "examples/data/views.csv",
  schema = "at timestamp, user string, page string",
  time   = { field = "at", out_of_order = "30s" },
}

local visits = views
  :group_by "user"
  :window(tm.session("5m", { max = "1h" }))
  :agg { tm.count():as "views", tm.first "page":as "from", tm.last "page":as "to" }

return tm.stream { name = "sessions", visits:to(tm.stdout()) }
