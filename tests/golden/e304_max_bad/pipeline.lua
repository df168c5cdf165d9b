local tm <const> = require "tidemill"
local t = tm.csv { path = "a.csv", schema = "id int64, qty int64", bad = tm.jsonl "out/bad.jsonl",
                   max_bad = tm.param "most" }
return tm.batch { name = "t", t:to(tm.csv "out/good.csv") }
