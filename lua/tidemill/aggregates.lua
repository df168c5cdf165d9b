-- lua/tidemill/aggregates.lua: tm.count, tm.sum and their kin, and the entries of agg.
--
-- An aggregate says what it computes (`agg`), of what (`of`: a column or a function, with a `type`
-- where it is declared), for which rows (`where`) and how the column is called (`as`). In over it
-- may have a frame (`rows` or `range`), and there are functions that only over takes: row_number,
-- rank, lag, lead. It never changes: `as` gives a new one.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"

local aggregates = {}

local Aggregate <const> = { __name = "aggregate", __metatable = false }

local methods <const> = {}

local function new(fields) return setmetatable(fields, Aggregate) end

function methods.as(self, name)
  if type(name) ~= "string" or name == "" then
    fail("value", ("as takes a name, not %s"):format(fail.kind(name)), { verb = "as" })
  end
  local named = {}
  for key, value in pairs(self) do named[key] = value end
  named.label = name -- (as is the method)
  return new(named)
end

function Aggregate.__index(_, name)
  if methods[name] then return methods[name] end
  if math.type(name) == "integer" then return nil end
  fail("verb", ("an aggregate has no '%s'"):format(tostring(name)),
    { token = tostring(name), names = { "as" } })
end

function Aggregate.__newindex()
  fail("value", "an aggregate never changes; its options are given as tm.sum(\"x\", { where = f })")
end

function Aggregate.__tostring(self) return "aggregate " .. rawget(self, "agg") end

local here <const> = node.here

-- What is aggregated: "column", function, or { function, "type" }.
local function set_of(fields, name, of, where)
  if type(of) == "table" then
    if type(of[1]) ~= "function" or type(of[2]) ~= "string" then
      fail("value", ("tm.%s takes { function, \"type\" }"):format(name), where)
    end
    fields.of, fields.type = of[1], of[2]
  elseif type(of) == "function" or (type(of) == "string" and of ~= "") then
    fields.of = of
  else
    fail("value", ("tm.%s takes a column or a function, not %s"):format(name, fail.kind(of)),
      where)
  end
end

local option_rules <const> = {
  where = { function(value) return type(value) == "function" end, "a function" },
  rows = {
    function(value) return math.type(value) == "integer" and value >= 1 end,
    "a number of rows, at least 1",
  },
  range = arguments.duration_rule("10m", 0),
}
-- Frames belong to over.
local plain_rules <const> = { where = option_rules.where }
local rules <const> = core.has("over", "step") and option_rules or plain_rules

local function set_options(fields, name, options, where)
  local what = "tm." .. name
  for key, value in pairs(arguments.options(what, options, rules, where)) do fields[key] = value end
  if fields.rows and fields.range then
    fail("value", ("%s has a frame of rows or of a range, not both"):format(what), where)
  end
end

local function of_one(name)
  return function(of, options)
    local where = here(name)
    local fields = { agg = name }
    set_of(fields, name, of, where)
    set_options(fields, name, options, where)
    return new(fields)
  end
end

-- count(), count "x", count(f), each with { where = f }.
local function count(of, options)
  local where = here "count"
  local fields = { agg = "count" }
  if type(of) == "table" and of[1] == nil then of, options = nil, of end
  if of ~= nil then set_of(fields, "count", of, where) end
  set_options(fields, "count", options, where)
  return new(fields)
end

local function quantile(of, q, options)
  local where = here "quantile"
  local fields = { agg = "quantile" }
  set_of(fields, "quantile", of, where)
  if type(q) ~= "number" or not (q >= 0 and q <= 1) then
    fail("value", "tm.quantile takes a share from 0 to 1, as tm.quantile(\"x\", 0.95)", where)
  end
  fields.q = q + 0.0
  set_options(fields, "quantile", options, where)
  return new(fields)
end

-- row_number(), rank().
local function of_none(name)
  return function(...)
    local where = here(name)
    if select("#", ...) > 0 then fail("value", ("tm.%s takes nothing"):format(name), where) end
    return new { agg = name, frame = true }
  end
end

-- lag("x", 1): the value n rows before.
local function of_other_row(name)
  return function(of, n)
    local where = here(name)
    if type(of) ~= "string" or of == "" then
      fail("value", ("tm.%s takes a column, not %s"):format(name, fail.kind(of)), where)
    end
    if n ~= nil and (math.type(n) ~= "integer" or n < 1) then
      fail("value", ("tm.%s takes how many rows away, at least 1, not %s"):format(name,
        math.type(n) == "integer" and tostring(n) or fail.kind(n)), where)
    end
    return new { agg = name, of = of, n = n or 1, frame = true }
  end
end

--- The aggregates by name.
function aggregates.functions()
  local result = { count = count, quantile = quantile }
  for _, name in ipairs { "sum", "avg", "min", "max", "first", "last", "stddev", "variance",
    "median", "count_distinct" } do
    result[name] = of_one(name)
  end
  if core.has("over", "step") then
    result.row_number, result.rank = of_none "row_number", of_none "rank"
    result.lag, result.lead = of_other_row "lag", of_other_row "lead"
  end
  return result
end

--- Names of what can be called on an aggregate.
function aggregates.methods()
  local list = {}
  for name in pairs(methods) do list[#list + 1] = name end
  return list
end

local function is_aggregate(value)
  return type(value) == "table" and core.metatable(value) == Aggregate
end

local function entry(a, as, where)
  local name = as or rawget(a, "label")
  local of = rawget(a, "of")
  if name == nil then
    name = type(of) == "string" and of or (of == nil and rawget(a, "agg") or nil)
    if name == nil then
      where.help = ("tm.%s(f):as \"name\", or name = tm.%s(f)"):format(a.agg, a.agg)
      fail("value", ("tm.%s of a function needs a name"):format(a.agg), where)
    end
  end
  local fields = { as = name }
  for key, value in pairs(a) do
    if key ~= "label" and key ~= "frame" then fields[key] = value end
  end
  return fields
end

-- Positional ones in their order, then named ones sorted by name.
local function list_of(verb, given, where)
  local list = {}
  for key, value in pairs(given) do
    if not is_aggregate(value) then
      where.help = "an aggregate is made by tm.count(), tm.sum \"x\" …"
      if type(key) == "string" then where.token = key end
      fail("value", ("entry '%s' of %s is %s"):format(tostring(key), verb, fail.kind(value)), where)
    end
    if verb == "agg" and (rawget(value, "frame") or rawget(value, "rows") or
        rawget(value, "range")) then
      fail("value", ("tm.%s%s belongs to over, not to agg"):format(value.agg,
        rawget(value, "frame") and "" or " with a frame"), where)
    end
    list[#list + 1] = entry(value, type(key) == "string" and key or nil, where)
  end
  return list
end

--- The entries of agg { … }.
function aggregates.list(given, where)
  if is_aggregate(given) then given = { given } end
  if type(given) ~= "table" then
    fail("value", ("agg takes aggregates in a table, not %s"):format(fail.kind(given)), where)
  end
  local list = list_of("agg", given, where)
  if #list == 0 then fail("value", "agg needs an aggregate: agg { tm.count() }", where) end
  return list
end

--- The columns of over { … }, its options taken out: as entries of agg, with `fn` for `agg`.
function aggregates.frames(given, where)
  local list = list_of("over", given, where)
  for _, column in ipairs(list) do column.fn, column.agg = column.agg, nil end
  return list
end

return aggregates
