local tm <const> = require "tidemill"
local t = tm.rows { schema = "a int64", { a = 1 } }
return tm.batch {
  name = "t", t:to(tm.stdout()),
  on_done = function(run)
    print(run.job, run.rows.stdout, run.rejected)
    error "the pager is gone"
  end,
}
