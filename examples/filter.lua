-- Rows of a CSV file that a plain Lua function lets through. The file has no schema here: types are
-- sniffed, and `tidemill explain examples/filter.lua` prints what was found, ready to paste.
--
--   tidemill run examples/filter.lua --param store=rome

local tm <const> = require "tidemill"

local store <const> = tm.param("store", "oslo", { help = "whose sales to show" })

local sales = tm.csv "examples/data/sales.csv"
  :filter(function(s) return s.store == store and s.quantity > 1 end)
  :select { "sold_on", "item", "quantity" }

return tm.batch { name = "filter", sales:to(tm.stdout()) }
