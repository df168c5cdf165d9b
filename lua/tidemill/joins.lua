-- lua/tidemill/joins.lua: verbs over two flows: join, join_interval, join_asof, lookup.
--
-- Keys come as a list of { left =, right = }: positional names are the same on both sides, named
-- ones follow sorted by their left name. What the front end does not name here is checked by the
-- stage's own table.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"
local columns <const> = require "tidemill.columns"
local windows <const> = require "tidemill.windows"

local joins = {}

local here <const>, step <const> = node.here, node.step

local function join_keys(verb, on, where)
  if on == nil then
    where.help = "on = \"id\", on = { \"id\", left = \"right\" }, or on = {} for a one-row side"
    fail("value", ("%s needs its keys in 'on'"):format(verb), where)
  end
  if type(on) == "string" then on = { on } end
  if type(on) ~= "table" then
    fail("value", ("option 'on' of %s is a column or a list of columns, not %s"):format(verb,
      fail.kind(on)), where)
  end
  local list = {}
  for left, right in pairs(on) do
    if type(right) ~= "string" then
      fail("value", ("option 'on' of %s names columns, not %s"):format(verb, fail.kind(right)),
        where)
    end
    list[#list + 1] = { left = type(left) == "string" and left or right, right = right }
  end
  return list
end

local function join_options(verb, other, options, where)
  arguments.flow(verb, other, where)
  local result = arguments.copy(verb, options, where)
  result.on = join_keys(verb, result.on, where)
  if result.take ~= nil then result.take = columns.renamed(verb, result.take, true, where) end
  return result
end

local all_kinds <const> = { "inner", "left", "right", "full", "semi", "anti" }
local asof_kinds <const> = { "left", "inner" }

local function listed(words)
  return table.concat(words, ", ", 1, #words - 1) .. " or " .. words[#words]
end

local function set_kind(verb, result, kinds, initial, where)
  local kind = result.kind
  if kind == nil then kind = initial end
  for _, name in ipairs(kinds) do
    if kind == name then
      result.kind = kind
      return
    end
  end
  where.token, where.names = tostring(kind), kinds
  where.help = "kind is " .. listed(kinds)
  fail("value", ("'%s' is no kind of %s"):format(tostring(kind), verb), where)
end

local ttl_rule <const> = { ttl = arguments.duration_rule("1d", 1) }

local function join(self, other, options)
  local where = here("join", self)
  local result = join_options("join", other, options, where)
  set_kind("join", result, all_kinds, "inner", where)
  if result.ttl ~= nil then arguments.check("join", "ttl", result.ttl, ttl_rule, nil, where) end
  if result.window ~= nil then
    if not windows.is_window(result.window) or not windows.is_fixed(result.window) then
      where.token = "window"
      where.help = "window = tm.tumbling \"1m\""
      fail("value", ("option 'window' of join is a window of fixed times, not %s"):format(
        windows.is_window(result.window) and result.window.kind or fail.kind(result.window)),
        where)
    end
    result.window = windows.options(result.window)
  end
  return step(where, { self, other }, result)
end

-- A bound is a duration, or else a column of ours.
local function check_bound(name, value, where)
  if (type(value) == "string" and value ~= "") or core.kind(value) == "duration" then return end
  where.help = "from = \"-5m\", to = \"expires\": durations, or columns of the left side"
  if value == nil then
    fail("value", ("join_interval needs its bounds: '%s' is missing"):format(name), where)
  end
  where.token = name
  fail("value", ("option '%s' of join_interval is a duration or a column, not %s"):format(name,
    fail.kind(value)), where)
end

local function join_interval(self, other, options)
  local where = here("join_interval", self)
  local result = join_options("join_interval", other, options, where)
  set_kind("join_interval", result, all_kinds, "inner", where)
  check_bound("from", result.from, where)
  check_bound("to", result.to, where)
  return step(where, { self, other }, result)
end

-- "column", { left = "right" }, or nil: event time.
local function asof_column(by, where)
  if by == nil or (type(by) == "string" and by ~= "") then return by end
  local left, right
  if type(by) == "table" then left, right = next(by) end
  if type(left) == "string" and type(right) == "string" and next(by, left) == nil then
    return { left = left, right = right }
  end
  where.token = "by"
  where.help = "by = \"at\", or by = { left = \"right\" }"
  fail("value", ("option 'by' of join_asof is one column, not %s"):format(fail.kind(by)), where)
end

local function join_asof(self, other, options)
  local where = here("join_asof", self)
  local result = join_options("join_asof", other, options, where)
  set_kind("join_asof", result, asof_kinds, "left", where)
  result.by = asof_column(result.by, where)
  return step(where, { self, other }, result)
end

local function is_miss(value)
  return value == "keep" or value == "drop" or arguments.rules.endpoint[1](value)
end

local function lookup(self, other, options)
  local where = here("lookup", self)
  local result = join_options("lookup", other, options, where)
  if result.miss ~= nil and not is_miss(result.miss) then
    where.token, where.names = tostring(result.miss), { "keep", "drop" }
    where.help = "miss = \"keep\", \"drop\", or an endpoint; without it such rows go to bad"
    fail("value", ("option 'miss' of lookup cannot be %s"):format(type(result.miss) == "string"
      and ("'%s'"):format(result.miss) or fail.kind(result.miss)), where)
  end
  return step(where, { self, other }, result)
end

--- Adds the verbs of this file to those of flows.
function joins.add(verbs)
  verbs.join, verbs.join_interval, verbs.join_asof, verbs.lookup =
    join, join_interval, join_asof, lookup
end

return joins
