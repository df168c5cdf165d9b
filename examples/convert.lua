-- From one format to another: nested JSON lines in, a flat compressed CSV out. A path in quotes
-- says where a column lies in the document; what is not named is not decoded.
--
--   tidemill run examples/convert.lua; zcat build/examples/events.csv.gz

local tm <const> = require "tidemill"

local events = tm.jsonl {
  path   = "examples/data/events.jsonl",
  schema = [[ at timestamp, user_id int64 'user.id', country string 'user.country',
              action string, amount decimal(12,2) ]],
}

return tm.batch {
  name = "convert",
  events:to(tm.csv "build/examples/events.csv.gz"),
  events:filter(function(e) return e.action == "buy" end):to(tm.stdout()),
}
