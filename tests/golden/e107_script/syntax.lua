local tm <const> = require "tidemill"
local x = = 3
