-- Writes events of the Nexmark suite to files, for the queries' parameter `data`:
--
--   tidemill run pipelines/nexmark/generate.lua --param data=DIR --param events=N --param seed=N
--
-- makes DIR/person.jsonl, auction.jsonl, bid.jsonl, and side_input.csv for q13. `step` is the event
-- time from one event to the next; ten thousand a second without it.

local tm <const>      = require "tidemill"
local nexmark <const> = require "tidemill.nexmark"

local data <const>  = tm.param("data", nil, { help = "folder for the files" })
local count <const> = tm.param("events", nil, { type = "int", help = "how many, of all kinds" })
local seed <const>  = tm.param("seed", 1)
local step <const>  = tm.param("step", "100us", { help = "event time from one to the next" })

local function write(kind)
  return nexmark { kind = kind, events = count, seed = seed, step = step }
    :to(tm.jsonl(data .. "/" .. kind .. ".jsonl"))
end

return tm.batch {
  name = "nexmark-generate",
  write "person", write "auction", write "bid",
  nexmark.side_input():to(tm.csv(data .. "/side_input.csv")),
}
