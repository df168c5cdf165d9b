-- Every scalar type on stdout, as --format says.
local tm <const> = require "tidemill"
local t = tm.csv { path = "types.csv", schema = [[ id int32, name string, day date, at timestamp,
  price decimal(8,2), share float64, ok bool ]] }
return tm.batch { name = "types",
  t:with { berlin = { function(r) return r.at end, "timestamp('Europe/Berlin')" } }:to(tm.stdout()),
}
