-- lua/tidemill/ends.lua: endpoints, one noun for both directions.
--
-- An end is a flow of role "source"; whether it is read or written shows when the job is laid out.
-- Options go to the stages as they are, with {date} put into paths; the stages check them.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"

local ends = {}

local here <const>, rules <const> = node.here, arguments.rules

local time_rules <const> = {
  field = rules.column,
  out_of_order = arguments.duration_rule("30s", 0),
  idle = arguments.duration_or_false "60s",
  ahead = arguments.duration_or_false "1h",
  late = rules.endpoint,
}

-- time = "at", or a table that names the field.
local function set_time(what, options, where)
  local time = options.time
  if type(time) == "string" then time = { field = time } end
  if type(time) ~= "table" then
    where.token = "time"
    fail("value", ("option 'time' of %s is a column or a table, not %s"):format(what,
      fail.kind(time)), where)
  end
  time = arguments.options("time", time, time_rules, where)
  if time.field == nil then
    where.token, where.help = "time", "time = \"at\", or time = { field = \"at\", … }"
    fail("value", ("option 'time' of %s needs its field"):format(what), where)
  end
  options.time = time
end

local function new(where, verb, options)
  local what = "tm." .. verb
  if options.time ~= nil then set_time(what, options, where) end
  if options.partitions ~= nil and options.partitions ~= "files" then
    arguments.check(what, "partitions", options.partitions,
      { partitions = arguments.word_rule "files" }, nil, where)
  end
  return node.new("source", verb, {}, options, where.line, where.place)
end

local function dated(path)
  return (path:gsub("{date}", tostring(core.date())))
end

-- A path, or a list of them.
local function paths(name, path, where)
  if type(path) == "string" and path ~= "" then return dated(path) end
  local list = {}
  if type(path) == "table" then
    for key, one in pairs(path) do
      if math.type(key) ~= "integer" or type(one) ~= "string" then
        fail("value", ("option 'path' of tm.%s is a text or a list of texts"):format(name), where)
      end
      list[#list + 1] = dated(one)
    end
  end
  if #list > 0 then return list end
  where.help = ("tm.%s \"data/*.%s\", or tm.%s { path = \"…\" }"):format(name, name, name)
  fail("value", ("tm.%s needs a path"):format(name), where)
end

local function named(name, given, where)
  local options = {}
  if given == nil then given = {} end
  if type(given) ~= "table" or node.is_flow(given) then
    fail("value", ("tm.%s takes its options in a table, not %s"):format(name, fail.kind(given)),
      where)
  end
  for key, value in pairs(given) do
    if type(key) ~= "string" then
      where.help = "options have names, as in { path = \"…\" }"
      fail("option", ("entry %s of tm.%s has no name"):format(tostring(key), name), where)
    end
    options[key] = value
  end
  return options
end

-- {date} is the run's date, but in a stream a sink puts the date of each row there: it finds the
-- path as it was written in the option "{date}".
local function file(name)
  return function(given)
    local where = here(name)
    local options = type(given) == "string" and { path = given } or named(name, given, where)
    local written = options.path
    options.path = paths(name, written, where)
    if type(written) == "string" and written ~= options.path then options["{date}"] = written end
    return new(where, name, options)
  end
end

local function tail(given)
  local where = here("tail")
  local options = type(given) == "string" and { path = given } or named("tail", given, where)
  options.path = paths("tail", options.path, where)
  return new(where, "tail", options)
end

local formats <const> = { "csv", "jsonl", "msgpack", "lines" }

local function stdin(given)
  local where = here("stdin")
  local options = type(given) == "string" and { format = given } or named("stdin", given, where)
  local format = options.format
  for _, known in ipairs(formats) do
    if format == known then
      if not core.has(format, "source") then fail.later(("format '%s'"):format(format), where) end
      options.format, options.path = nil, "-"
      return new(where, format, options)
    end
  end
  where.token, where.names = format and tostring(format), formats
  where.help = "tm.stdin { format = \"csv\" }, or \"jsonl\", \"msgpack\", \"lines\""
  fail("value", format == nil and "tm.stdin needs a format"
    or ("'%s' is no format of tm.stdin"):format(tostring(format)), where)
end

local function rows(given)
  local where = here("rows")
  if type(given) ~= "table" then
    fail("value", ("tm.rows takes a table of rows, not %s"):format(fail.kind(given)), where)
  end
  local options, list = {}, {}
  for key, value in pairs(given) do
    if type(key) == "string" then
      options[key] = value
    elseif type(value) ~= "table" or node.is_flow(value) then
      fail("value", ("row %s of tm.rows is %s; a row is a table, as { id = 1 }"):format(
        tostring(key), fail.kind(value)), where)
    else
      list[#list + 1] = value
    end
  end
  if type(options.schema) ~= "string" then
    where.help = "tm.rows { schema = \"id int64, name string\", { id = 1, name = \"a\" } }"
    fail("value", "tm.rows needs a schema", where)
  end
  options.rows = list
  return new(where, "rows", options)
end

local function plain(name)
  return function(given)
    local where = here(name)
    return new(where, name, named(name, given, where))
  end
end

local all <const> = {
  csv = file "csv", jsonl = file "jsonl", msgpack = file "msgpack", lines = file "lines",
  rows = rows, stdout = plain "stdout", discard = plain "discard", generate = plain "generate",
  tail = tail, tcp = plain "tcp",
}

local function changelog(target)
  local where = here("changelog")
  return node.changelog(arguments.endpoint("tm.changelog", target, where), where)
end

--- The ends that the engine has, by name.
function ends.functions()
  local result = { stdin = stdin }
  if core.has("changelog", "step") then result.changelog = changelog end
  for name, make in pairs(all) do
    if core.has(name, "source") or core.has(name, "sink") then result[name] = make end
  end
  return result
end

--- Where a flow goes that -e returned.
function ends.stdout() return new({ line = 0, place = 0 }, "stdout", {}) end

return ends
