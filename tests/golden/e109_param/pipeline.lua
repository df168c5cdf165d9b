local tm <const> = require "tidemill"
local data <const> = tm.param "data"
local n <const> = tm.param("n", 1)
local t = tm.rows { schema = "data string, n int64", { data = data, n = n } }
return tm.batch { name = "p", t:to(tm.stdout()) }
