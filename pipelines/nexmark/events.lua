-- What the queries of the Nexmark suite share: its three sources, and where answers go.
--
-- A query requires this module, calls the sources that it reads (`events.bid()`), with `true` where
-- event time matters to it, and ends in `events.output(flow)`. Parameters:
--   data=DIR   folder with person.jsonl, auction.jsonl and bid.jsonl; or
--   events=N   so many events of the built-in generator, `seed=N`, `step=DURATION` between two,
--              `rate=N` a second of the wall clock
--   out=FILE   .csv or .jsonl, without it stdout. For measuring: "discard" throws the answer away,
--              "changelog" all that it was on the way
-- Events may come up to four seconds out of order.

local tm <const>      = require "tidemill"
local nexmark <const> = require "tidemill.nexmark"

local data <const>  = tm.param("data", "", { help = "folder with the three *.jsonl files" })
local count <const> = tm.param("events", 0, { help = "how many events are made" })
local seed <const>  = tm.param("seed", 1)
local step <const>  = tm.param("step", "100us", { help = "event time from one to the next" })
local rate <const>  = tm.param("rate", 0, { help = "events a second; 0: as fast as can be" })
local out <const>   = tm.param("out", "", { help = "*.csv or *.jsonl" })

local disorder <const> = "4s"

local schemas <const> = {
  person = [[
    id int64 not null, name string not null, emailAddress string not null,
    creditCard string not null, city string not null, state string not null,
    dateTime timestamp not null, extra string not null ]],

  auction = [[
    id int64 not null, itemName string not null, description string not null,
    initialBid int64 not null, reserve int64 not null, dateTime timestamp not null,
    expires timestamp not null, seller int64 not null, category int64 not null,
    extra string not null ]],

  bid = [[
    auction int64 not null, bidder int64 not null, price int64 not null,
    channel string not null, url string not null, dateTime timestamp not null,
    extra string not null ]],
}

if data == "" and count == 0 then
  error("give --param data=DIR, a folder with the three *.jsonl files, or --param events=N", 0)
end

if data ~= "" and rate > 0 then error("rate is for events that are made, not for files", 0) end

local events = {}

for kind, schema in pairs(schemas) do
  events[kind] = function(timed)
    local time = timed and { field = "dateTime", out_of_order = disorder } or nil
    if data == "" then
      return nexmark {
        kind = kind, events = count, seed = seed, step = step, time = time,
        rate = rate > 0 and rate or nil,
      }
    end
    return tm.jsonl { path = data .. "/" .. kind .. ".jsonl", schema = schema, time = time }
  end
end

-- Key and value of q13: the folder's side_input.csv, else ten thousand rows.
function events.side_input()
  return nexmark.side_input(data ~= "" and data .. "/side_input.csv" or nil)
end

local function target()
  if out == "" then return tm.stdout() end
  if out == "discard" then return tm.discard() end
  if out == "changelog" then return tm.changelog(tm.discard()) end
  local plain = out:gsub("%.gz$", ""):gsub("%.zst$", "")
  if plain:find "%.csv$" then return tm.csv(out) end
  if plain:find "%.jsonl$" then return tm.jsonl(out) end
  error(("parameter out is a file *.csv or *.jsonl, not '%s'"):format(out), 0)
end

function events.output(flow) return flow:to(target()) end

return events
