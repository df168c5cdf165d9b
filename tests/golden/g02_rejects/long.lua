-- One record is longer than any may be.
local tm <const> = require "tidemill"
local long = tm.csv { path = "long.csv", schema = "a int64, b string", bad = tm.csv "out/long.csv" }
return tm.batch { name = "long", long:to(tm.stdout()) }
