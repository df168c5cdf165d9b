local tm <const> = require "tidemill"
total = 0
