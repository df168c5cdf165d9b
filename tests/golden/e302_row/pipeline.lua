local tm <const> = require "tidemill"
local t = tm.csv { path = "in/*.csv", schema = "id int64 not null, price decimal(6,2)" }
return tm.batch { name = "t", t:to(tm.csv "out.csv") }
