local tm <const> = require "tidemill"
return tm.rows { schema = "a int64", { a = 1 } }
