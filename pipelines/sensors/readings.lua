-- Readings of a plant's machines, made up, as sensors.lua takes them: devices.csv and
-- readings.jsonl. The same parameters give the same files.
--
--   tidemill run pipelines/sensors/readings.lua --param data=build/sensors
--
-- Parameters: data (the folder that is written), rows (how many readings), devices (how many).
--
-- Each device reads once a minute, with runs of half a day and pauses in between; some heat up
-- towards the end of a run, one falls silent. Readings arrive up to 90 s late, which sensors.lua
-- declares; one in a thousand arrives ten minutes late, which it does not.

local tm <const> = require "tidemill"

local data <const>    = tm.param("data", "build/sensors")
local rows <const>    = tm.param("rows", 20000)
local devices <const> = tm.param("devices", 12)

local first <const> = tm.time "2026-03-02T00:00:00Z"
local second <const>, minute <const> = 1000000, 60000000

-- A number from 0 to 999 that looks random.
local function chance(i, salt)
  local x = i * 2654435761 + salt * 40503
  x = (x ~ (x >> 15)) * 2246822519
  return ((x ~ (x >> 13)) & 0x7fffffff) % 1000
end

-- In the order of arrival. Device 3 is silent from the fifth hour on.
local readings = tm.generate {
  rows = rows,
  schema = "device_id string, temp float64, vibration float64, ts timestamp",
  row = function(i)
    local device = i % devices
    local tick = i // devices
    local running = (tick + device * 37) % 180
    if running > 150 then return nil end
    if device == 3 and tick > 300 then return nil end
    local delay = chance(i, 1) * 90 // 1000 * second
    if chance(i, 2) == 0 then delay = 10 * minute end
    local heat = device % 4 == 1 and running * 0.25 or 0
    return {
      device_id = "m" .. device,
      temp = 40 + heat + chance(i, 3) / 100,
      vibration = chance(i, 4) / 250,
      ts = first + tick * minute - delay,
    }
  end,
}

local list = tm.generate {
  rows = devices,
  schema = "device_id string, site string, limit_c float64",
  row = function(i)
    return { device_id = "m" .. i - 1, site = i % 2 == 0 and "north" or "south", limit_c = 72.5 }
  end,
}

return tm.batch {
  name = "sensor-readings",
  readings:to(tm.jsonl(data .. "/readings.jsonl")),
  list:to(tm.csv(data .. "/devices.csv")),
}
