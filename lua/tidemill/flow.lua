-- lua/tidemill/flow.lua: flows and their verbs.
--
-- A flow is a node of the graph to be: a verb, its options, the flows that it takes, and where the
-- script says so. Verbs only describe: each makes a new flow, nothing is read or run, and a flow
-- may be used any number of times. An endpoint is a flow as well: verbs read from it, `to` and the
-- options for refused rows write to it. Options hold what the stages in runtime/operator expect.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local columns <const> = require "tidemill.columns"
local inputs <const> = require "tidemill.inputs"

local flow = {}
local verbs <const> = {}   -- of a flow, those that the engine has
local grouped <const> = {} -- of what group_by gives

local Flow <const> = { __name = "flow", __metatable = false }
local Group <const> = { __name = "grouped flow", __metatable = false }
local Output <const> = { __name = "output", __metatable = false }

-- Verbs of the design that may be missing here; what the engine has is asked of core.has.
local known <const> = {
  "filter", "with", "map", "flat_map", "select", "drop", "rename", "check", "extract", "route",
  "union", "sample", "limit", "group_by", "agg", "window", "process", "reduce", "distinct", "dedup",
  "once", "top", "sort", "over", "join", "join_interval", "join_asof", "lookup", "diff", "table",
  "to", "name",
}

local function is(value, metatable)
  return type(value) == "table" and core.metatable(value) == metatable
end

function flow.is_flow(value) return is(value, Flow) end
function flow.is_output(value) return is(value, Output) end

--- A new node. `role` is "source" for an end, "step" otherwise; `place` as core.place gives it.
function flow.new(role, verb, taken, options, line, place)
  return setmetatable({
    role = role, verb = verb, inputs = taken, options = options, line = line, place = place,
    label = false, index = false, is_end = role == "source",
  }, Flow)
end

local function call_of(f)
  return f.is_end and "tm." .. f.verb or f.verb
end

-- Where the verb that is being called stands.
local function here(verb, input)
  local line, place = core.place(verb, input.place)
  return { line = line, place = place, verb = verb }
end

local function step(where, taken, options)
  for _, input in ipairs(taken) do
    if input.is_end and not core.has(input.verb, "source") then
      fail("value", ("tm.%s cannot be read from, only written to"):format(input.verb), where)
    end
  end
  return flow.new("step", where.verb, taken, options, where.line, where.place)
end

-- A copy, so that a table that the script uses twice is not changed.
local function copy(verb, options, where)
  local result = {}
  if options == nil then return result end
  if type(options) ~= "table" or flow.is_flow(options) then
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

local function need_function(verb, f, where)
  if type(f) == "function" then return f end
  fail("value", ("%s takes a function of the row, not %s"):format(verb, fail.kind(f)), where)
end

local function need_flow(verb, f, where)
  if flow.is_flow(f) then return f end
  fail("value", ("%s takes a flow, not %s"):format(verb, fail.kind(f)), where)
end

local function need_text(verb, what, text, where)
  if type(text) == "string" and text ~= "" then return text end
  fail("value", ("%s takes %s, not %s"):format(verb, what, fail.kind(text)), where)
end

local function need_count(verb, n, where)
  if math.type(n) == "integer" and n >= 0 then return n end
  fail("value", ("%s takes a number of rows, not %s"):format(verb,
    math.type(n) == "integer" and tostring(n) or fail.kind(n)), where)
end

local function need_end(verb, e, where)
  if flow.is_flow(e) and e.is_end then
    if core.has(e.verb, "sink") then return e end
    fail("value", ("tm.%s cannot be written to"):format(e.verb), where)
  end
  where.help = "an endpoint is made by tm.csv \"path\", tm.jsonl \"path\", tm.stdout() …"
  fail("value", ("%s takes an endpoint, not %s"):format(verb, fail.kind(e)), where)
end

-- A DDL that must be text where it is given.
local function ddl_option(verb, ddl, where)
  if ddl == nil or type(ddl) == "string" then return ddl end
  fail("value", ("%s takes the columns and types of its result as text, not %s"):format(verb,
    fail.kind(ddl)), where)
end

-------------------------------------------------------------------------------------------- rows

function verbs.filter(self, f)
  local where = here("filter", self)
  return step(where, { self }, { f = need_function("filter", f, where) })
end

-- A field is a function, a constant, { function, "type" } or { constant, "type" }.
local function field(name, value, where)
  where.token = name
  if inputs.is_id(value) then return { value.f, "string not null" } end
  if type(value) == "table" and not flow.is_flow(value) then
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
  if type(fields) ~= "table" or flow.is_flow(fields) then
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
    { f = need_function("map", f, where), ddl = ddl_option("map", ddl, where) })
end

function verbs.flat_map(self, f, ddl)
  local where = here("flat_map", self)
  return step(where, { self },
    { f = need_function("flat_map", f, where), ddl = ddl_option("flat_map", ddl, where) })
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
  need_text("check", "what it checks, as a text", name, where)
  need_function("check", f, where)
  if rejects ~= nil then need_end("check", rejects, where) end
  return step(where, { self }, { name = name, f = f, rejects = rejects })
end

function verbs.extract(self, column, pattern, ddl, options)
  local where = here("extract", self)
  local result = copy("extract", options, where)
  result.column = need_text("extract", "the name of a column", column, where)
  result.pattern = need_text("extract", "a pattern", pattern, where)
  result.ddl = need_text("extract", "the columns and types of its captures", ddl, where)
  return step(where, { self }, result)
end

function verbs.union(self, ...)
  local where = here("union", self)
  local given = table.pack(...)
  if given.n == 1 and type(given[1]) == "table" and not flow.is_flow(given[1]) then
    given = given[1]
  end
  local taken = { self }
  for i = 1, given.n or #given do taken[i + 1] = need_flow("union", given[i], where) end
  if #taken < 2 then fail("value", "union takes another flow", where) end
  return step(where, taken, {})
end

function verbs.sample(self, p, options)
  local where = here("sample", self)
  local result = copy("sample", options, where)
  if type(p) ~= "number" or p < 0 or p > 1 then
    fail("value", "sample takes a share of the rows from 0 to 1", where)
  end
  result.p = p
  result.on = columns.option("sample", "on", result.on, where)
  return step(where, { self }, result)
end

function verbs.limit(self, n)
  local where = here("limit", self)
  return step(where, { self }, { n = need_count("limit", n, where) })
end

-------------------------------------------------------------------------------------------- keys

function verbs.distinct(self, ...)
  local where = here("distinct", self)
  local list = columns.names("distinct", 0, where, ...)
  return step(where, { self }, { columns = #list > 0 and list or nil })
end

function verbs.dedup(self, key, options)
  local where = here("dedup", self)
  local result = copy("dedup", options, where)
  result.key = columns.names("dedup", 1, where, key)
  return step(where, { self }, result)
end

function verbs.once(self, options)
  local where = here("once", self)
  local result = copy("once", options, where)
  result.per = columns.option("once", "per", result.per, where)
  return step(where, { self }, result)
end

function verbs.sort(self, ...)
  local where = here("sort", self)
  return step(where, { self }, { by = columns.names("sort", 1, where, ...) })
end

function verbs.top(self, n, options)
  local where = here("top", self)
  local result = copy("top", options, where)
  result.n = need_count("top", n, where)
  result.by = columns.option("top", "by", result.by, where)
  result.per = columns.option("top", "per", result.per, where)
  if result.by == nil or #result.by == 0 then
    fail("value", "top needs an order: top(10, { by = \"-revenue\" })", where)
  end
  return step(where, { self }, result)
end

function verbs.group_by(self, ...)
  local where = here("group_by", self)
  return setmetatable({
    input = self, keys = columns.names("group_by", 1, where, ...), place = where.place,
  }, Group)
end

-- The keys and the named aggregates become columns: two of one name are a mistake.
local function aggregate(where, input, keys, given)
  local aggregates <const> = require "tidemill.aggregates"
  local list = aggregates.list(given, where)
  local seen = {}
  for _, key in ipairs(keys) do
    if seen[key] then
      where.token = key
      fail("columns", ("'%s' is twice in group_by"):format(key), where)
    end
    seen[key] = "a key"
  end
  for _, a in ipairs(list) do
    if seen[a.as] then
      where.token = a.as
      where.help = ("give it a name of its own: tm.%s(…):as \"name\""):format(a.agg)
      fail("columns", ("agg makes two columns '%s'"):format(a.as), where)
    end
    seen[a.as] = "an aggregate"
  end
  return step(where, { input }, { keys = keys, aggs = list })
end

function verbs.agg(self, given) return aggregate(here("agg", self), self, {}, given) end

function grouped.agg(self, given)
  return aggregate(here("agg", self), self.input, self.keys, given)
end

------------------------------------------------------------------------------------------- joins

local kinds <const> = { "inner", "left", "right", "full", "semi", "anti" }

-- `on` as a list of { left =, right = }: positional names are the same on both sides.
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
  need_flow(verb, other, where)
  local result = copy(verb, options, where)
  result.on = join_keys(verb, result.on, where)
  if result.take ~= nil then result.take = columns.renamed(verb, result.take, true, where) end
  return result
end

function verbs.join(self, other, options)
  local where = here("join", self)
  local result = join_options("join", other, options, where)
  local kind = result.kind or "inner"
  for _, name in ipairs(kinds) do
    if kind == name then
      result.kind = kind
      return step(where, { self, other }, result)
    end
  end
  where.token, where.names = tostring(kind), kinds
  where.help = "kind is inner, left, right, full, semi or anti"
  fail("value", ("'%s' is no kind of join"):format(tostring(kind)), where)
end

function verbs.join_asof(self, other, options)
  local where = here("join_asof", self)
  return step(where, { self, other }, join_options("join_asof", other, options, where))
end

function verbs.join_interval(self, other, options)
  local where = here("join_interval", self)
  return step(where, { self, other }, join_options("join_interval", other, options, where))
end

function verbs.lookup(self, other, options)
  local where = here("lookup", self)
  return step(where, { self, other }, join_options("lookup", other, options, where))
end

-------------------------------------------------------------------------------- names and outputs

function verbs.name(self, name)
  local where = here("name", self)
  self.label = need_text("name", "a name", name, where)
  return self
end

verbs["to"] = function(self, target)
  local where = here("to", self)
  need_end("to", target, where)
  if self.is_end and not core.has(self.verb, "source") then
    fail("value", ("tm.%s cannot be read from, only written to"):format(self.verb), where)
  end
  return setmetatable({
    input = self, target = target, line = where.line, place = where.place, label = false,
  }, Output)
end

function Output.name(self, name)
  self.label = need_text("name", "a name", name, here("name", self))
  return self
end

------------------------------------------------------------------------------------- what is known

local always <const> = { name = true, to = true, group_by = true }

for name in pairs(verbs) do
  if not always[name] and not core.has(name, "step") then verbs[name] = nil end
end
if verbs.agg == nil then verbs.group_by, grouped.agg = nil, nil end

local function names_of(methods)
  local list = {}
  for name in pairs(methods) do list[#list + 1] = name end
  return list
end

local function unknown(verb, methods, after)
  local where = { token = tostring(verb), verb = tostring(verb), after = after }
  for _, name in ipairs(known) do
    if name == verb then fail.later(verb, where) end
  end
  where.names = names_of(methods)
  fail("verb", ("a flow has no verb '%s'"):format(tostring(verb)), where)
end

function Flow.__index(self, verb)
  return verbs[verb] or unknown(verb, verbs, rawget(self, "place"))
end

function Group.__index(self, verb)
  if grouped[verb] then return grouped[verb] end
  if verbs[verb] then
    fail("verb", ("'%s' cannot follow group_by: agg does"):format(verb),
      { token = verb, verb = verb, after = rawget(self, "place") })
  end
  unknown(verb, grouped, rawget(self, "place"))
end

function Output.__index(self, verb)
  if verb == "name" then return Output.name end
  fail("verb", ("'%s' cannot follow to: an output is the end of a flow"):format(tostring(verb)),
    { token = tostring(verb), verb = tostring(verb), after = rawget(self, "place") })
end

local function read_only(_, name)
  fail("value", ("field '%s' cannot be set: a flow never changes"):format(tostring(name)),
    { token = tostring(name) })
end
Flow.__newindex, Group.__newindex, Output.__newindex = read_only, read_only, read_only

function Flow.__tostring(self) return ("flow (%s, line %d)"):format(call_of(self), self.line) end
function Output.__tostring(self) return ("output (line %d)"):format(self.line) end
function Group.__tostring() return "grouped flow" end

--- Names of the verbs that a flow offers, and those of a grouped flow.
function flow.verbs() return names_of(verbs), names_of(grouped) end

core.set_flow(Flow)

return flow
