local tm <const> = require "tidemill"
local orders = tm.csv {
  path = "in/*.csv",
  delimeter = ";",
}
return tm.batch { name = "orders", orders:to(tm.stdout()) }
