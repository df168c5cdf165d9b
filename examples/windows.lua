-- Page views a minute. Rows come out of order, by up to 30 s; event time puts each into the minute
-- in which it happened.
--
--   tidemill run examples/windows.lua                a stream: a minute comes out when it is over
--   tidemill run examples/windows.lua --as batch     the same rows, at the end
--   tidemill prove examples/windows.lua              in many orders of arrival, too

local tm <const> = require "tidemill"

local views = tm.csv {
  path   = "examples/data/views.csv",
  schema = "at timestamp, user string, page string",
  time   = { field = "at", out_of_order = "30s" },
}

local minutes = views
  :window(tm.tumbling "1m")
  :agg { tm.count():as "views", tm.count_distinct "user":as "users" }

return tm.stream { name = "windows", minutes:to(tm.stdout()) }
