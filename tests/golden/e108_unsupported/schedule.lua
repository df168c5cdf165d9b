local tm <const> = require "tidemill"
return tm.batch {
  name = "nightly",
  schedule = { cron = "30 1 * * *" },
  tm.rows { schema = "a int64", { a = 1 } }:to(tm.stdout()),
}
