-- lua/tidemill/job.lua: tm.batch and tm.stream.
--
-- A job is its options and, as positional entries, its outputs. Options of later versions are
-- refused by name, never accepted and ignored.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"

local job = {}

local Job <const> = { __name = "job", __metatable = false }

function job.is_job(value)
  return type(value) == "table" and core.metatable(value) == Job
end

function job.new(fields) return setmetatable(fields, Job) end

local rules <const> = arguments.rules

local function check_size(value)
  if math.type(value) == "integer" then return value > 0 end
  return type(value) == "string" and core.is_size(value)
end

-- Of batches and streams alike.
local known <const> = {
  name = rules.text,
  on_done = rules.run_function,
  timeout = arguments.duration_rule "20m",
  limits = rules.table,
}
local later <const> = {
  schedule = true, after = true, retry = true, checkpoint = true, delivery = true, on_fail = true,
  array = true, priority = true, jitter = true,
}
local known_limits <const> = {
  row = arguments.duration_rule "1s",
  memory = { check_size, "a size, as \"512M\"" },
}
local later_limits <const> = { cpu = true, workers = true }

local function output(what, i, value, where)
  if node.is_output(value) then return value end
  if node.is_flow(value) then
    where.help = "say where it goes: flow:to(tm.csv \"out/report.csv\")"
  end
  fail("job", ("entry %d of %s is %s, not an output"):format(i, what, fail.kind(value)), where)
end

local function make(word, given)
  local what = "tm." .. word
  local where = node.here(word)
  if type(given) ~= "table" then
    fail("job", ("%s takes a table, not %s"):format(what, fail.kind(given)), where)
  end
  local options, outputs = {}, {}
  for key, value in pairs(given) do
    if math.type(key) == "integer" then
      outputs[#outputs + 1] = output(what, key, value, where)
    else
      arguments.check(what, key, value, known, later, where)
      options[key] = value
    end
  end
  for key, value in pairs(options.limits or {}) do
    arguments.check("limits", key, value, known_limits, later_limits, where)
  end
  if #outputs == 0 then
    where.help = "an output is a flow with an end: report:to(tm.stdout())"
    fail("output", "the job has no outputs", where)
  end
  return job.new {
    options = options, outputs = outputs, line = where.line, place = where.place,
    stream = word == "stream",
  }
end

local function batch(given) return make("batch", given) end
local function stream(given) return make("stream", given) end

function Job.__index(_, name)
  fail("verb", ("a job has no '%s': the script returns it as it is"):format(tostring(name)),
    { token = tostring(name) })
end
function Job.__newindex()
  fail("value", "a job never changes; its options stand in tm.batch { … } or tm.stream { … }")
end
function Job.__tostring() return "job" end

function job.functions()
  return { batch = batch, stream = core.has("clock", "step") and stream or nil }
end

return job
