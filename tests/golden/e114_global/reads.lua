local tm <const> = require "tidemill"
local x = totl
