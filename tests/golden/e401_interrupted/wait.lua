-- Waits for lines that nobody types.
local tm <const> = require "tidemill"
return tm.batch { name = "wait", tm.stdin { format = "lines" }:to(tm.csv "out/lines.csv") }
