local tm <const> = require "tidemill"
