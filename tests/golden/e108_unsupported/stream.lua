local tm <const> = require "tidemill"
return tm.stream {
  name = "s",
  checkpoint = { every = "1s" },
  tm.rows { schema = "a int64", { a = 1 } }:to(tm.stdout()),
}
