-- lua/tidemill/arguments.lua: checks of what verbs and functions of tm are given.
--
-- Each raises at the script's line with what was expected and what came. Options whose names the
-- front end knows are held against rules: name → { test, "what it is in words" }.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"

local arguments = {}

local values <const> = {}
core.values(values)

--- A copy of named options, so that a table that the script uses twice is not changed.
function arguments.copy(verb, options, where)
  local result = {}
  if options == nil then return result end
  if type(options) ~= "table" or node.is_flow(options) then
    fail("value", ("%s takes its options in a table, not %s"):format(verb, fail.kind(options)),
      where)
  end
  for name, value in pairs(options) do
    if type(name) ~= "string" then
      fail("option", ("%s takes named options; entry %s has no name"):format(verb, tostring(name)),
        where)
    end
    result[name] = value
  end
  return result
end

function arguments.row_function(verb, f, where)
  if type(f) == "function" then return f end
  fail("value", ("%s takes a function of the row, not %s"):format(verb, fail.kind(f)), where)
end

function arguments.flow(verb, f, where)
  if node.is_flow(f) then return f end
  fail("value", ("%s takes a flow, not %s"):format(verb, fail.kind(f)), where)
end

function arguments.text(verb, what, text, where)
  if type(text) == "string" and text ~= "" then return text end
  fail("value", ("%s takes %s, not %s"):format(verb, what, fail.kind(text)), where)
end

function arguments.count(verb, n, where)
  if math.type(n) == "integer" and n >= 0 then return n end
  fail("value", ("%s takes a number of rows, not %s"):format(verb,
    math.type(n) == "integer" and tostring(n) or fail.kind(n)), where)
end

local function is_end(e)
  return node.is_flow(e) and e.is_end and core.has(e.verb, "sink")
end

function arguments.endpoint(verb, e, where)
  if is_end(e) then return e end
  if node.is_flow(e) and e.is_end then
    fail("value", ("tm.%s cannot be written to"):format(e.verb), where)
  end
  where.help = "an endpoint is made by tm.csv \"path\", tm.jsonl \"path\", tm.stdout() …"
  fail("value", ("%s takes an endpoint, not %s"):format(verb, fail.kind(e)), where)
end

--- A DDL that must be text where it is given.
function arguments.ddl(verb, ddl, where)
  if ddl == nil or type(ddl) == "string" then return ddl end
  fail("value", ("%s takes the columns and types of its result as text, not %s"):format(verb,
    fail.kind(ddl)), where)
end

---------------------------------------------------------------------------------------- options

--- Microseconds of a duration, "10m" or a value; nil where it is none of a fixed length.
function arguments.microseconds(value)
  if type(value) == "string" then value = core.parse("duration", value) end
  if core.kind(value) ~= "duration" then return nil end
  local fixed, us = pcall(values.int, value)
  return fixed and us or nil
end

local microseconds <const> = arguments.microseconds

local function is_text(value) return type(value) == "string" and value ~= "" end

--- What options may be: tests with the words that messages have for them.
arguments.rules = {
  text = { is_text, "a text" },
  column = { is_text, "the name of a column" },
  yes_no = { function(value) return type(value) == "boolean" end, "true or false" },
  run_function = { function(value) return type(value) == "function" end, "a function of the run" },
  table = { function(value) return type(value) == "table" end, "a table" },
  endpoint = { is_end, "an endpoint" },
  zone = {
    function(value) return is_text(value) and core.is_type(("timestamp('%s')"):format(value)) end,
    "a time zone, as \"Europe/Berlin\"",
  },
}

--- A duration as `example`, "least" 0 or 1 µs (nil: any).
function arguments.duration_rule(example, least)
  return {
    function(value)
      local us = microseconds(value)
      return us ~= nil and (least == nil or us >= least)
    end,
    (least == 1 and "a duration above 0, as \"%s\"" or "a duration, as \"%s\""):format(example),
  }
end

--- The same, or false.
function arguments.duration_or_false(example)
  local rule <const> = arguments.duration_rule(example, 1)
  return {
    function(value) return value == false or rule[1](value) end,
    ("a duration above 0, as \"%s\", or false"):format(example),
  }
end

--- One of some words.
function arguments.word_rule(...)
  local words <const> = { ... }
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = ("\"%s\""):format(word) end
  return {
    function(value)
      for _, word in ipairs(words) do
        if value == word then return true end
      end
      return false
    end,
    table.concat(quoted, " or "), words,
  }
end

local function names_of(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  return list
end

--- One option against its rule. `later`: names that a later version has.
function arguments.check(what, name, value, rules, later, where)
  where.token, where.names = tostring(name), nil
  if later and later[name] then fail.later(("option '%s' of %s"):format(name, what), where) end
  local rule = rules[name]
  if rule == nil then
    where.names = names_of(rules)
    fail("option", ("unknown option '%s' of %s"):format(tostring(name), what), where)
  end
  if not rule[1](value) then
    local text = type(value) == "string"
    if text and rule[3] then where.token, where.names = value, rule[3] end
    fail("value", ("option '%s' of %s is %s, not %s"):format(name, what, rule[2],
      text and ("'%s'"):format(value) or fail.kind(value)), where)
  end
  where.token = nil
end

--- A copy of options that have all been checked.
function arguments.options(what, given, rules, where)
  local options = arguments.copy(what, given, where)
  for name, value in pairs(options) do arguments.check(what, name, value, rules, nil, where) end
  return options
end

return arguments
