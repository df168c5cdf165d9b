-- Far more rows than there is time for.
local tm <const> = require "tidemill"
local many = tm.generate { rows = 1000000000000, schema = "n int64",
                           row = function(i) return { n = i } end }
return tm.batch { name = "many",
  many:filter(function(r) return r.n % 3 == 0 end):to(tm.csv "out/many.csv"),
  many:with { k = function(r) return r.n % 5 end }:group_by "k":agg { tm.count() }
    :to(tm.csv "out/counts.csv"),
}
