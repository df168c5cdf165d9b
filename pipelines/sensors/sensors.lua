-- Sensor monitoring: runs of machines, overheating, and silence.
--
--   tidemill run pipelines/sensors/readings.lua                    makes readings, once
--   tidemill run pipelines/sensors/sensors.lua                     over these files, as a stream
--   tidemill run pipelines/sensors/sensors.lua --as batch          the same answer
--   tidemill run pipelines/sensors/sensors.lua --param listen=127.0.0.1:7001
--                                                 JSON lines from sensors, for as long as it runs
--
-- Parameters: data (the folder with readings.jsonl and devices.csv), weather (a CSV file of hourly
-- weather, whose stations are watched like machines), out (the folder of the results), listen (an
-- address to take readings from instead of the file).

local tm <const> = require "tidemill"

local data <const>    = tm.param("data", "build/sensors")
local weather <const> = tm.param("weather", "examples/data/nycflights13/weather.csv.gz")
local out <const>     = tm.param("out", "build/sensors/out")
local listen <const>  = tm.param("listen", "")

local schema <const> = "device_id string not null, temp float64, ts timestamp not null"
local rejects = tm.jsonl(out .. "/rejects.jsonl")

-- 1 · Time. A reading may come two minutes after a later one; what comes later still goes to `late`
-- with its reason, and counts nowhere. A live sensor that is silent for 30 s holds nobody back.
local function time(field, wait)
  local late = tm.jsonl(out .. "/late-" .. field .. ".jsonl")
  return { field = field, out_of_order = wait, late = late }
end

local live = time("ts", "2m")
live.idle = "30s"

local machines
if listen ~= "" then
  machines = tm.tcp { listen = listen, format = "jsonl", schema = schema, time = live,
                      bad = rejects }
else
  machines = tm.jsonl { path = data .. "/readings.jsonl", schema = schema, time = time("ts", "2m"),
                        bad = rejects }
end

-- The file has one station after the other: in its order, time goes back by a month.
local stations = tm.csv {
  path = weather,
  schema = "origin string, temp float64, time_hour timestamp('America/New_York')",
  time = time("time_hour", "32d"),
  bad = rejects,
}:map(function(r) return { device_id = r.origin, temp = r.temp, ts = r.time_hour } end,
      "device_id string, temp float64, ts timestamp")

-- 2 · Thresholds. A device that nobody has listed is kept, without a limit.
local devices = tm.csv { path = data .. "/devices.csv",
                         schema = "device_id string, site string, limit_c float64" }

local readings = machines
  :lookup(devices, { on = "device_id", take = { "site", "limit_c" }, miss = "keep" })

-- 3 · Runs: readings no more than five minutes apart, of at most eight hours.
local runs = readings
  :group_by "device_id"
  :window(tm.session("5m", { max = "8h" }))
  :agg { tm.last "site", tm.last "limit_c", tm.count():as "readings",
         tm.max "temp":as "peak", tm.quantile("temp", 0.95):as "p95" }

-- 4 · Alarms. Too hot in a run; and a timer for every device, set anew by each of its readings,
-- that goes off when none has come for a quarter of an hour.
local alarm <const> = "device_id string, kind string, at timestamp"

local hot = runs
  :filter(function(s) return s.limit_c ~= nil and s.peak > s.limit_c end)
  :map(function(s)
    return { device_id = s.device_id, kind = "overheat", at = s.window_end }
  end, alarm)

local silent = readings:group_by "device_id":process {
  state    = { last = "timestamp" },
  emits    = alarm,
  on_row   = function(r, state, o)
    state.last = r.ts
    o:timer("silence", r.ts + tm.minutes(15))
  end,
  on_timer = function(_, key, state, o)
    o:emit { device_id = key.device_id, kind = "silent", at = state.last }
  end,
}

-- 5 · The weather: each station's day, by its own clock, and its frosts.
local days = stations
  :group_by "device_id"
  :window(tm.tumbling("1d", { tz = "America/New_York" }))
  :agg { tm.count():as "readings", tm.min "temp":as "coldest", tm.max "temp":as "warmest" }

return tm.stream {
  name = "sensors",

  runs:to(tm.csv(out .. "/runs.csv")),
  hot:union(silent):to(tm.csv(out .. "/alarms.csv")),
  days:to(tm.csv(out .. "/days.csv")),
}
