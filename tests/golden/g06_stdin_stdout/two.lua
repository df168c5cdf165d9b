-- Two flows to stdout: printed whole, in the order of the job, whichever is ready first.
local tm <const> = require "tidemill"
local a = tm.csv { path = "a.csv", schema = "id int64, qty int64" }
return tm.batch { name = "two",
  a:sort("-id"):to(tm.stdout()),
  a:to(tm.csv "out.csv"),
  a:agg { tm.sum "qty" }:to(tm.stdout()),
  a:limit(1):to(tm.csv "-"),
}
