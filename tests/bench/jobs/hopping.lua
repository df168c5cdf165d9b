-- Bench `window`: windows that overlap sixty times beside some that do not; 100 keys, each of them
-- in every second, over fifty thousand seconds.

local tm <const> = require "tidemill"

local seconds <const> = 50000
local first <const> = tm.time "2024-03-01T00:00:00Z"

local rows = tm.generate {
  rows = seconds * 100,
  schema = "at timestamp not null, key int64 not null",
  row = function(i) return { at = first + (i - 1) // 100 * 1000000, key = i % 100 } end,
  time = "at",
}

local shape = tm.tumbling "10s"
if tm.param "window" == "hopping" then shape = tm.hopping("10m", "10s") end

return tm.stream {
  name = "bench-hopping",
  rows:group_by "key":window(shape):agg { tm.count() }:to(tm.discard()),
}
