-- What is wrong with a row, and where it went: rows that do not parse and rows that fail a check
-- are refused into one file, each with its reason and line; the rest goes on.
--
--   tidemill run examples/rejects.lua; cat build/examples/rejects.jsonl

local tm <const> = require "tidemill"

local rejects = tm.jsonl "build/examples/rejects.jsonl"

local good = tm.csv {
  path    = "examples/data/messy.csv",
  schema  = "id int64 not null, name string not null, amount decimal(12,2)",
  bad     = rejects,
  max_bad = 3,                    -- more than three malformed rows fail the run
}
  :check("amount is not negative", function(r) return r.amount >= 0 end, rejects)

return tm.batch { name = "rejects", good:to(tm.stdout()) }
