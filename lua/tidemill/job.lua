-- lua/tidemill/job.lua: tm.batch.
--
-- A job is its options and, as positional entries, its outputs. Options of later versions are
-- refused by name, never accepted and ignored.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local flow <const> = require "tidemill.flow"

local job = {}

local Job <const> = { __name = "job", __metatable = false }

function job.is_job(value)
  return type(value) == "table" and core.metatable(value) == Job
end

function job.new(fields) return setmetatable(fields, Job) end

local function check_text(value) return type(value) == "string" and value ~= "" end
local function check_function(value) return type(value) == "function" end
local function check_duration(value)
  if core.kind(value) == "duration" then return true end
  return type(value) == "string" and core.parse("duration", value) ~= nil
end
local function check_size(value)
  if math.type(value) == "integer" then return value > 0 end
  return type(value) == "string" and core.is_size(value)
end

local known <const> = {
  name = { check_text, "a text" },
  on_done = { check_function, "a function of the run" },
  timeout = { check_duration, "a duration, as \"20m\"" },
  limits = { function(value) return type(value) == "table" end, "a table" },
}
local known_limits <const> = {
  row = { check_duration, "a duration, as \"1s\"" },
  memory = { check_size, "a size, as \"512M\"" },
}
local later <const> = {
  schedule = true, after = true, retry = true, checkpoint = true, delivery = true, on_fail = true,
  array = true, priority = true, jitter = true,
}
local later_limits <const> = { cpu = true, workers = true }

local function names_of(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  return list
end

local function check(what, name, value, set, refused, where)
  where.token = tostring(name)
  if refused[name] then fail.later(("option '%s' of %s"):format(name, what), where) end
  local rule = set[name]
  if rule == nil then
    where.names = names_of(set)
    fail("option", ("unknown option '%s' of %s"):format(tostring(name), what), where)
  end
  if not rule[1](value) then
    fail("value", ("option '%s' of %s is %s, not %s"):format(name, what, rule[2],
      type(value) == "string" and ("'%s'"):format(value) or fail.kind(value)), where)
  end
end

local function output(i, value, where)
  if flow.is_output(value) then return value end
  if flow.is_flow(value) then
    where.help = "say where it goes: flow:to(tm.csv \"out/report.csv\")"
  end
  fail("job", ("entry %d of tm.batch is %s, not an output"):format(i, fail.kind(value)), where)
end

local function batch(given)
  local line, place = core.place "batch"
  local where = { line = line, place = place, verb = "batch" }
  if type(given) ~= "table" then
    fail("job", ("tm.batch takes a table, not %s"):format(fail.kind(given)), where)
  end
  local options, outputs = {}, {}
  for key, value in pairs(given) do
    if math.type(key) == "integer" then
      outputs[#outputs + 1] = output(key, value, where)
    else
      check("tm.batch", key, value, known, later, where)
      options[key] = value
    end
  end
  for key, value in pairs(options.limits or {}) do
    check("limits", key, value, known_limits, later_limits, where)
  end
  where.token = nil
  if #outputs == 0 then
    where.help = "an output is a flow with an end: report:to(tm.stdout())"
    fail("output", "the job has no outputs", where)
  end
  return job.new { options = options, outputs = outputs, line = line, place = place }
end

function Job.__index(_, name)
  fail("verb", ("a job has no '%s': the script returns it as it is"):format(tostring(name)),
    { token = tostring(name) })
end
function Job.__newindex()
  fail("value", "a job never changes; its options stand in tm.batch { … }")
end
function Job.__tostring() return "job" end

function job.functions() return { batch = batch } end

return job
