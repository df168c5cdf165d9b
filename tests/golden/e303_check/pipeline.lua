local tm <const> = require "tidemill"
local skip <const> = tm.param "skip"
local t = tm.csv { path = "a.csv", schema = "id int64, qty int64",
                   on_error = skip == "yes" and "skip" or "fail" }
  :check("qty is positive", function(r) return r.qty > 0 end)
return tm.batch { name = "t", t:to(tm.stdout()) }
