local tm <const> = require "tidemill"
while true do end
