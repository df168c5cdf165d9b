-- lua/tidemill/flow.lua: what can be called on a flow, and the verbs that go row by row.
--
-- Options hold what the stages in runtime/operator expect; names that a stage checks by its own
-- table are passed on as they are. Verbs that look at more than a row are in keys.lua, windows.lua
-- and joins.lua. A verb is offered if the engine has a stage for it.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"
local columns <const> = require "tidemill.columns"
local keys <const> = require "tidemill.keys"
local windows <const> = require "tidemill.windows"
local joins <const> = require "tidemill.joins"
local inputs <const> = require "tidemill.inputs"

local flow = {}
local verbs <const> = {} -- those that the engine has

local here <const>, step <const> = node.here, node.step
local Flow <const>, Output <const> = node.Flow, node.Output

-- Verbs of the design that may be missing here; what the engine has is asked of core.has.
local known <const> = {
  "filter", "with", "map", "flat_map", "select", "drop", "rename", "check", "extract", "route",
  "union", "sample", "limit", "group_by", "agg", "window", "process", "reduce", "distinct", "dedup",
  "once", "top", "sort", "over", "join", "join_interval", "join_asof", "lookup", "diff", "table",
  "to", "name",
}

-------------------------------------------------------------------------------------------- rows

function verbs.filter(self, f)
  local where = here("filter", self)
  return step(where, { self }, { f = arguments.row_function("filter", f, where) })
end

-- A field is a function, a constant, { function, "type" } or { constant, "type" }.
local function field(name, value, where)
  where.token = name
  if inputs.is_id(value) then return { value.f, "string not null" } end
  if type(value) == "table" and not node.is_flow(value) then
    if type(value[2]) ~= "string" or #value ~= 2 then
      fail("value", ("field '%s' of with is a table; { function, \"type\" } is what it may be")
        :format(name), where)
    end
    return value
  end
  if value == nil or type(value) == "table" or core.kind(value) == "secret" then
    fail("value", ("field '%s' of with cannot be %s"):format(name, fail.kind(value)), where)
  end
  if value == core.null then
    fail("value", ("field '%s' of with is null, so its type is unknown"):format(name),
      { token = name, place = where.place, line = where.line,
        help = ("say the type: %s = { tm.null, \"string\" }"):format(name) })
  end
  where.token = nil
  return value
end

verbs["with"] = function(self, fields)
  local where = here("with", self)
  if type(fields) ~= "table" or node.is_flow(fields) then
    fail("value", ("with takes fields in a table, not %s"):format(fail.kind(fields)), where)
  end
  local result, count = {}, 0
  for name, value in pairs(fields) do
    if type(name) ~= "string" then
      fail("value", ("with names its fields; entry %s has no name"):format(tostring(name)), where)
    end
    result[name] = field(name, value, where)
    count = count + 1
  end
  if count == 0 then
    fail("value", "with needs a field: with { total = function(r) … end }", where)
  end
  return step(where, { self }, { fields = result })
end

function verbs.map(self, f, ddl)
  local where = here("map", self)
  return step(where, { self },
    { f = arguments.row_function("map", f, where), ddl = arguments.ddl("map", ddl, where) })
end

function verbs.flat_map(self, f, ddl)
  local where = here("flat_map", self)
  return step(where, { self },
    { f = arguments.row_function("flat_map", f, where),
      ddl = arguments.ddl("flat_map", ddl, where) })
end

function verbs.select(self, first, ...)
  local where = here("select", self)
  local given = first
  if select("#", ...) > 0 then given = columns.names("select", 1, where, first, ...) end
  local list = columns.renamed("select", given, true, where)
  if #list == 0 then fail("value", "select needs the name of a column", where) end
  return step(where, { self }, { columns = list })
end

function verbs.drop(self, ...)
  local where = here("drop", self)
  return step(where, { self }, { columns = columns.names("drop", 1, where, ...) })
end

function verbs.rename(self, given)
  local where = here("rename", self)
  local list = columns.renamed("rename", given, false, where)
  if #list == 0 then fail("value", "rename needs a column: rename { new = \"old\" }", where) end
  return step(where, { self }, { columns = list })
end

function verbs.check(self, name, f, rejects)
  local where = here("check", self)
  arguments.text("check", "what it checks, as a text", name, where)
  arguments.row_function("check", f, where)
  if rejects ~= nil then arguments.endpoint("check", rejects, where) end
  return step(where, { self }, { name = name, f = f, rejects = rejects })
end

function verbs.extract(self, column, pattern, ddl, options)
  local where = here("extract", self)
  local result = arguments.copy("extract", options, where)
  result.column = arguments.text("extract", "the name of a column", column, where)
  result.pattern = arguments.text("extract", "a pattern", pattern, where)
  result.ddl = arguments.text("extract", "the columns and types of its captures", ddl, where)
  return step(where, { self }, result)
end

function verbs.union(self, ...)
  local where = here("union", self)
  local given = table.pack(...)
  if given.n == 1 and type(given[1]) == "table" and not node.is_flow(given[1]) then
    given = given[1]
  end
  local taken = { self }
  for i = 1, given.n or #given do taken[i + 1] = arguments.flow("union", given[i], where) end
  if #taken < 2 then fail("value", "union takes another flow", where) end
  return step(where, taken, {})
end

function verbs.sample(self, p, options)
  local where = here("sample", self)
  local result = arguments.copy("sample", options, where)
  if type(p) ~= "number" or p < 0 or p > 1 then
    fail("value", "sample takes a share of the rows from 0 to 1", where)
  end
  result.p = p
  result.on = columns.option("sample", "on", result.on, where)
  return step(where, { self }, result)
end

function verbs.limit(self, n)
  local where = here("limit", self)
  return step(where, { self }, { n = arguments.count("limit", n, where) })
end

-------------------------------------------------------------------------------- names and outputs

function verbs.name(self, name)
  local where = here("name", self)
  self.label = arguments.text("name", "a name", name, where)
  return self
end

verbs["to"] = function(self, target)
  local where = here("to", self)
  if node.is_changelog(target) then
    node.check_readable(self, where)
    local weighed = node.new("step", "changelog", { self }, {}, target.line, target.place)
    return node.output(weighed, target.target, where)
  end
  arguments.endpoint("to", target, where)
  node.check_readable(self, where)
  return node.output(self, target, where)
end

function Output.name(self, name)
  self.label = arguments.text("name", "a name", name, here("name", self))
  return self
end

------------------------------------------------------------------------------------- what is known

local grouped <const> = keys.grouped
keys.add(verbs)
windows.add(verbs, grouped)
joins.add(verbs)

local always <const> = { name = true, to = true, group_by = true }
local stages <const> = { window = "clock" } -- of verbs that have none of their own name

for _, methods in ipairs { verbs, grouped } do
  for name in pairs(methods) do
    if not always[name] and not core.has(stages[name] or name, "step") then methods[name] = nil end
  end
end
if next(grouped) == nil then verbs.group_by = nil end

function Flow.__index(self, verb)
  if verbs[verb] then return verbs[verb] end
  local where = { token = tostring(verb), verb = tostring(verb), after = rawget(self, "place") }
  if verb == "process" and grouped.process then
    where.help = "flow:group_by(\"key\"):process { … }"
    fail("verb", "process needs keys: it follows group_by", where)
  end
  for _, name in ipairs(known) do
    if name == verb then fail.later(verb, where) end
  end
  where.names = node.names(verbs)
  fail("verb", ("a flow has no verb '%s'"):format(tostring(verb)), where)
end

function Output.__index(_, verb)
  if verb == "name" then return Output.name end
  fail("verb", ("'%s' cannot follow to: an output is the end of a flow"):format(tostring(verb)),
    { token = tostring(verb), verb = tostring(verb) })
end

--- Names of the verbs that a flow offers, of those behind group_by, and of those behind window.
function flow.verbs()
  return node.names(verbs), node.names(grouped), windows.verbs()
end

return flow
