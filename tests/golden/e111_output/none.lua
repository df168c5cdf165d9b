local tm <const> = require "tidemill"
return tm.batch { name = "none" }
