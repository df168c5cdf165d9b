-- End of day at New York's three airports: which flights were late, whose, when and where to.
--
--   tidemill run pipelines/flights/eod.lua --date 2013-01-16                 one day
--   tidemill run pipelines/flights/eod.lua --date 2013-01-31 --param 'days=2013-01-*'    the month
--
-- Parameters: data (the folder of the input), out (the folder of the CSV files), days (which files
-- of flights; the day of --date by default).

local tm <const> = require "tidemill"

local data <const> = tm.param("data", "examples/data/nycflights13")
local out <const>  = tm.param("out", "build/demo")
local days <const> = tm.param("days", "{date}")

-- 1 · Collect. Only the columns that a schema names are decoded. Rows that do not parse go to
-- `rejects` with the reason, the file and the line; the job goes on without them.
local rejects = tm.jsonl(out .. "/rejects-{date}.jsonl")

local flights = tm.csv {
  path   = data .. "/flights/" .. days .. ".csv.gz",
  schema = [[ carrier string not null, flight int32 not null, tailnum string,
              origin string not null, dest string not null, hour int32 not null,
              time_hour timestamp('America/New_York') not null,
              dep_time int32, dep_delay int32, arr_delay int32 ]],
  bad    = rejects,
}

local function names(file, key)
  return tm.csv { path = data .. file, schema = key .. " string, name string" }
end

local airlines = names("/airlines.csv.gz", "carrier")
local airports = names("/airports.csv.gz", "faa")
local weather  = tm.csv {
  path   = data .. "/weather.csv.gz",
  schema = [[ origin string, time_hour timestamp('America/New_York'),
              precip float64, visib float64 ]],
}

-- 2 · Validate and enrich. A row that fails a check joins the rejects, under the check's name. Left
-- joins keep a flight whose destination or weather is not known.
local clean = flights
  :check("an aircraft was assigned", function(f) return f.tailnum ~= nil end, rejects)
  :check("the delay is less than twelve hours", function(f)
    return f.arr_delay == nil or f.arr_delay < 12 * 60
  end, rejects)
  :join(airlines, { on = "carrier", take = { airline = "name" } })
  :join(airports, { kind = "left", on = { dest = "faa" }, take = { destination = "name" } })
  :join(weather, { kind = "left", on = { "origin", "time_hour" }, take = { "precip", "visib" } })
  :with {
    cancelled = function(f) return f.dep_time == nil end,
    late      = function(f) return f.arr_delay ~= nil and f.arr_delay > 15 end,
    bad_sky   = function(f) return f.precip ~= nil and (f.precip > 0 or f.visib < 3) end,
  }

-- 3 · Report. Each aggregate may look at some of the rows only: `where`.
local figures <const> = {
  tm.count():as "flights",
  tm.count({ where = function(f) return f.cancelled end }):as "cancelled",
  tm.count({ where = function(f) return f.late end }):as "late",
  tm.count({ where = function(f) return f.late and f.bad_sky end }):as "late_in_bad_sky",
  tm.median "dep_delay":as "median_delay",
  tm.max "arr_delay":as "worst_delay",
}

local by_airline = clean:group_by "airline":agg(figures):sort { "-late", "airline" }
local by_hour    = clean:group_by("airline", "hour"):agg(figures)
local routes     = clean:group_by("origin", "dest", "destination"):agg(figures)
  :top(10, { by = { "-flights", "origin", "dest" } })

-- 4 · Publish: all files appear together when everything has succeeded, or none does.
return tm.batch {
  name = "flights-eod",

  by_airline:to(tm.stdout()),
  routes:to(tm.stdout()),
  by_hour:to(tm.csv(out .. "/delays-{date}.csv")),
  routes:to(tm.csv(out .. "/routes-{date}.csv")),
}
