local tm <const> = require "tidemill"
local t = tm.generate { rows = 1000000000000, schema = "a int64",
                        row = function(i) return { a = i } end }
return tm.batch { name = "t", timeout = "200ms",
  t:agg { tm.sum(function(r) return r.a % 7 end):as "s" }:to(tm.stdout()) }
