-- lua/tidemill.lua: what `require "tidemill"` returns.
--
-- The table is put together here: ends, jobs, aggregates and what the run was given come from the
-- files in lua/tidemill/, functions on values from C (`core`). What this version does not have is
-- not in the table; asking for it says so, and what was misspelt gets a suggestion.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local ends <const> = require "tidemill.ends"
local inputs <const> = require "tidemill.inputs"
local aggregates <const> = require "tidemill.aggregates"
local job <const> = require "tidemill.job"
local windows <const> = require "tidemill.windows"
require "tidemill.flow" -- what can be called on flows

local tm = {}

core.values(tm)

for _, source in ipairs { ends, aggregates, inputs, windows, job } do
  local part = source.functions()
  for name, value in pairs(part) do tm[name] = value end
end

-- Names of the design that a later version brings.
local later <const> = {
  parquet = true, tail = true, tcp = true, http = true, webhook = true, topic = true, html = true,
  mail = true, dashboard = true, generate = true, msgpack = true, lines = true, jsonl = true,
  csv = true, rows = true, stdin = true, stdout = true, discard = true,
  tumbling = true, hopping = true, sliding = true, session = true, cumulate = true,
  count_window = true, processing_time = true, changelog = true, since_last = true,
  array_index = true, test = true, row_number = true, rank = true, lag = true, lead = true,
  aggregate = true, corr = true, collect = true, top_k = true, arg_min = true, arg_max = true,
  approx_distinct = true, approx_quantile = true, stream = true,
}

local function names()
  local list = {}
  for name in pairs(tm) do list[#list + 1] = name end
  return list
end

return setmetatable(tm, {
  __name = "tidemill",
  __index = function(_, name)
    if later[name] then fail.later("tm." .. name, { token = name, verb = name }) end
    fail("verb", ("tm has no '%s'"):format(name), { token = tostring(name), names = names() })
  end,
  __newindex = function(_, name)
    fail("value", ("tm.%s cannot be set: tm belongs to tidemill"):format(name), { token = name })
  end,
  __metatable = false,
})
