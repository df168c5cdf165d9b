-- lua/tidemill/keys.lua: verbs that look at rows of one key: distinct, dedup, top, agg, over …
--
-- group_by gives a grouped flow, which agg, window or process follows. over lists its columns as
-- agg does: positional ones in their order, then named ones sorted by name.

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"
local columns <const> = require "tidemill.columns"
local aggregates <const> = require "tidemill.aggregates"

local keys = {}

local here <const>, step <const> = node.here, node.step
local rules <const> = arguments.rules

---------------------------------------------------------------------------------------- some rows

local function distinct(self, ...)
  local where = here("distinct", self)
  local list = columns.names("distinct", 0, where, ...)
  return step(where, { self }, { columns = #list > 0 and list or nil })
end

local within <const> = arguments.duration_rule("1h", 0)
local arrival <const> = arguments.word_rule "arrival"

local function dedup(self, key, options)
  local where = here("dedup", self)
  local result = arguments.options("dedup", options, {
    within = within, order = arrival, keep = arguments.word_rule("first", "last"),
  }, where)
  result.key = columns.names("dedup", 1, where, key)
  return step(where, { self }, result)
end

local function once(self, options)
  local where = here("once", self)
  local result = arguments.options("once", options, {
    within = within, order = arrival, per = { function() return true end, "columns" },
  }, where)
  result.per = columns.option("once", "per", result.per, where)
  return step(where, { self }, result)
end

local function sort(self, ...)
  local where = here("sort", self)
  return step(where, { self }, { by = columns.names("sort", 1, where, ...) })
end

--- The options of top; the stage checks the others.
function keys.top_options(n, options, where)
  local result = arguments.copy("top", options, where)
  result.n = arguments.count("top", n, where)
  result.by = columns.option("top", "by", result.by, where)
  result.per = columns.option("top", "per", result.per, where)
  if result.by == nil or #result.by == 0 then
    fail("value", "top needs an order: top(10, { by = \"-revenue\" })", where)
  end
  return result
end

local function top(self, n, options)
  local where = here("top", self)
  return step(where, { self }, keys.top_options(n, options, where))
end

------------------------------------------------------------------------------------------- groups

local grouped <const> = {} -- what may follow group_by

local Group <const> = node.waiting("grouped flow", "group_by", grouped,
  { "agg", "window", "process", "reduce" })

local function group_by(self, ...)
  local where = here("group_by", self)
  return setmetatable({
    input = self, keys = columns.names("group_by", 1, where, ...), place = where.place,
  }, Group)
end

local function clash(what, name, help, where)
  where.token, where.help = name, help
  fail("columns", ("%s makes two columns '%s'"):format(what, name), where)
end

--- The options of agg. The keys, what comes between (`more`) and the named aggregates become
--- columns: two of one name are a mistake.
function keys.agg_options(by, more, given, where)
  local list = aggregates.list(given, where)
  local seen = {}
  for _, key in ipairs(by) do
    if seen[key] then
      where.token = key
      fail("columns", ("'%s' is twice in group_by"):format(key), where)
    end
    seen[key] = true
  end
  for _, name in ipairs(more) do
    if seen[name] then
      clash("window", name, ("without a window, group_by(\"%s\") groups by one before")
        :format(name), where)
    end
    seen[name] = true
  end
  for _, a in ipairs(list) do
    if seen[a.as] then
      clash("agg", a.as, ("give it a name of its own: tm.%s(…):as \"name\""):format(a.agg), where)
    end
    seen[a.as] = true
  end
  return { keys = by, aggs = list }
end

local function agg(self, given)
  local where = here("agg", self)
  return step(where, { self }, keys.agg_options({}, {}, given, where))
end

function grouped.agg(self, given)
  local where = here("agg", self)
  return step(where, { self.input }, keys.agg_options(self.keys, {}, given, where))
end

------------------------------------------------------------------------------------------- process

local process_rules <const> = {
  state = rules.table,
  emits = { rules.text[1], "the columns and types of what it emits, as text" },
  on_row = { function(f) return type(f) == "function" end, "a function of row, state and out" },
  on_timer = {
    function(f) return type(f) == "function" end, "a function of name, key, state and out",
  },
}
local state_rules <const> = { ttl = arguments.duration_rule("1h", 1) }

-- "timestamp" or { "map<string,int64>", ttl = "1h" }.
local function state_of(name, value, where)
  local is_name = type(name) == "string"
  if is_name and type(value) == "string" then return value end
  if is_name and type(value) == "table" and type(value[1]) == "string" then
    local what = ("state '%s'"):format(name)
    for option, given in pairs(value) do
      if option ~= 1 then arguments.check(what, option, given, state_rules, nil, where) end
    end
    return { value[1], ttl = value.ttl }
  end
  where.token = tostring(name)
  where.help = "state = { last = \"timestamp\", seen = { \"int64\", ttl = \"1h\" } }"
  fail("value", is_name and ("state '%s' of process is a type, not %s"):format(name,
    fail.kind(value)) or ("entry %s of state has no name"):format(tostring(name)), where)
end

function grouped.process(self, given)
  local where = here("process", self)
  local options = arguments.options("process", given, process_rules, where)
  for _, name in ipairs { "emits", "on_row" } do
    if options[name] == nil then
      where.help = "process { emits = \"id int64\", on_row = function(r, state, out) … end }"
      fail("value", ("process needs '%s'"):format(name), where)
    end
  end
  local state = {}
  for name, value in pairs(options.state or {}) do state[name] = state_of(name, value, where) end
  options.state, options.keys = state, self.keys
  return step(where, { self.input }, options)
end

------------------------------------------------------------------------------------------- over

local over_rules <const> = {
  per = { function() return true end }, by = { function() return true end },
  session = arguments.duration_rule("30m", 1),
}

local function over(self, given)
  local where = here("over", self)
  if type(given) ~= "table" or node.is_flow(given) then
    where.help = "over { per = \"card\", n = tm.row_number() }"
    fail("value", ("over takes its columns and options in a table, not %s"):format(
      fail.kind(given)), where)
  end
  local options, made = {}, {}
  for name, value in pairs(given) do
    if over_rules[name] then
      arguments.check("over", name, value, over_rules, nil, where)
      options[name] = value
    else
      made[name] = value
    end
  end
  options.per = columns.option("over", "per", options.per, where)
  options.by = columns.option("over", "by", options.by, where)
  options.columns = aggregates.frames(made, where)
  if #options.columns == 0 and options.session == nil then
    where.help = "over { per = \"card\", n = tm.row_number() }"
    fail("value", "over needs a column", where)
  end
  local seen = { session_id = options.session ~= nil or nil }
  for _, column in ipairs(options.columns) do
    if seen[column.as] then
      clash("over", column.as, ("give it a name of its own: tm.%s(…):as \"name\"")
        :format(column.fn), where)
    end
    seen[column.as] = true
  end
  return step(where, { self }, options)
end

--- Adds the verbs of this file to those of flows. What group_by gives has those of `grouped`.
function keys.add(verbs)
  verbs.distinct, verbs.dedup, verbs.once, verbs.sort, verbs.top = distinct, dedup, once, sort, top
  verbs.group_by, verbs.agg, verbs.over = group_by, agg, over
end

keys.grouped = grouped

return keys
