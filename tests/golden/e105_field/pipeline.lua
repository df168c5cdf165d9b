local tm <const> = require "tidemill"
local sales = tm.rows { schema = "store string, price int64", { store = "a", price = 3 } }
local dear = sales:filter(function(s)
  return s.prise > 2
end)
return tm.batch { name = "dear", dear:to(tm.stdout()) }
