local tm <const> = require "tidemill"
return tm.batch { tm.rows { schema = "a int64", { a = 1 } } }
