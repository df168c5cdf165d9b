-- A state for each device: the last readings, how often each whole degree was seen within half an
-- hour, and a timer that tells of silence. A reading without a temperature is refused.
local tm <const> = require "tidemill"

local readings = tm.csv {
  path = "readings.csv", schema = "device string, temp float64, ts timestamp",
  time = { field = "ts", out_of_order = "1m" }, bad = tm.jsonl "refused.jsonl",
}

local alarms = readings:group_by "device":process {
  state = {
    last = "timestamp", recent = "list<float64>",
    degrees = { "map<string,int64>", ttl = "30m" },
  },
  emits = "device string, kind string, at timestamp, mean float64, detail string",
  on_row = function(r, state, out)
    local degree = ("%d"):format(math.floor(r.temp))
    state.last = r.ts
    state.degrees[degree] = (state.degrees[degree] or 0) + 1
    table.insert(state.recent, r.temp)
    if #state.recent > 3 then table.remove(state.recent, 1) end
    if r.temp >= 30 then
      out:emit { device = r.device, kind = "hot", at = r.ts, detail = degree }
    end
    out:timer("silence", r.ts + tm.minutes(15))
  end,
  on_timer = function(name, key, state, out)
    local sum, seen = 0, {}
    for _, temp in ipairs(state.recent) do sum = sum + temp end
    for degree, n in pairs(state.degrees) do seen[#seen + 1] = degree .. " x" .. n end
    out:emit {
      device = key.device, kind = name, at = state.last, mean = sum / #state.recent,
      detail = table.concat(seen, ", "),
    }
  end,
}

return tm.stream { name = "alarms", alarms:to(tm.stdout()) }
