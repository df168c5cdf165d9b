-- lua/tidemill/inputs.lua: what a run is given: parameters, environment, secrets, the date.
--
-- All of it is concrete when the script loads, and the same in every state that loads it again.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"

local inputs = {}

local options_of_param <const> = { "type", "help" }

local function type_of(default)
  local kind = core.kind(default)
  if kind == "nil" or kind == "string" then return "text" end
  if kind == "boolean" then return "bool" end
  if kind == "integer" then return "int" end
  return kind
end

local function param_options(options, where)
  if options == nil then return {} end
  if type(options) ~= "table" then
    fail("value", ("tm.param takes its options in a table, not %s"):format(fail.kind(options)),
      where)
  end
  for key in pairs(options) do
    if key ~= "type" and key ~= "help" then
      where.token, where.names = tostring(key), options_of_param
      fail("option", ("unknown option '%s' of tm.param"):format(tostring(key)), where)
    end
  end
  return options
end

local function param(name, default, options)
  local line, place = core.place "param"
  local where = { line = line, place = place }
  if type(name) ~= "string" or name == "" then
    fail("value", ("tm.param takes a name, not %s"):format(fail.kind(name)), where)
  end
  options = param_options(options, where)
  local kind = options.type or type_of(default)
  if not core.is_type(kind) then
    where.token = tostring(kind)
    where.help = "types are text, int, float, bool, date, timestamp, duration and decimals"
    fail("value", ("parameter '%s' cannot be of type '%s'"):format(name, tostring(kind)), where)
  end
  local text = core.param(name)
  where.token = name
  if text == nil then
    if default ~= nil then return default end
    where.help = ("give it: --param %s=…"):format(name)
    if options.help then where.help = where.help .. " (" .. options.help .. ")" end
    fail("param", ("parameter '%s' is missing"):format(name), where)
  end
  local value = core.parse(kind, text)
  if value == nil then
    fail("param", ("parameter '%s' is no %s: '%s'"):format(name, kind, text), where)
  end
  return value
end

local function env(name, default)
  local line, place = core.place "env"
  local where = { line = line, place = place, token = type(name) == "string" and name or nil }
  if type(name) ~= "string" or name == "" then
    fail("value", ("tm.env takes the name of a variable, not %s"):format(fail.kind(name)), where)
  end
  local text = core.env(name)
  if text ~= nil then return text end
  if default ~= nil then return default end
  where.help = ("set it, or give a default: tm.env(\"%s\", \"…\")"):format(name)
  fail("param", ("environment variable '%s' is not set"):format(name), where)
end

local function secret(name)
  if type(name) ~= "string" or name == "" then
    fail("value", ("tm.secret takes the name of a variable, not %s"):format(fail.kind(name)),
      { verb = "secret" })
  end
  return core.secret(name)
end

local Id <const> = { __name = "id", __metatable = false }

--- Is the value one of tm.id? Its `f` is the function that makes the text.
function inputs.is_id(value)
  return type(value) == "table" and core.metatable(value) == Id
end

-- A value for `with`: a text that is the same whenever the named columns are.
local function id(...)
  local names = table.pack(...)
  for i = 1, names.n do
    if type(names[i]) ~= "string" then
      fail("value", ("tm.id takes names of columns, not %s"):format(fail.kind(names[i])),
        { verb = "id" })
    end
  end
  if names.n == 0 then fail("value", "tm.id takes names of columns", { verb = "id" }) end
  local function f(r)
    local values = {}
    for i = 1, names.n do values[i] = r[names[i]] end
    return core.id(names.n, values)
  end
  return setmetatable({ f = f }, Id)
end

function inputs.functions()
  return { param = param, env = env, secret = secret, id = id, date = core.date() }
end

return inputs
