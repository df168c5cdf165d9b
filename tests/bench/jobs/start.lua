-- Bench `start`: a job of one row, from start to end.

local tm <const> = require "tidemill"

local one = tm.rows { schema = "id int64, name string", { id = 1, name = "one" } }
  :filter(function(r) return r.id > 0 end)

return tm.batch { name = "bench-start", one:to(tm.stdout()) }
