local tm <const> = require "tidemill"
local sales = tm.csv {
  path = "sales.csv",
  schema = [[ id int64, store strng ]],
}
return tm.batch { name = "sales", sales:to(tm.stdout()) }
