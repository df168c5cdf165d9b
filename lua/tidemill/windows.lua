-- lua/tidemill/windows.lua: windows over time, and the verb that puts rows into them.
--
-- A window is a value: its kind and sizes. The verb `window` takes it with options and must be
-- followed by agg or top, whose node then has the window and those options beside its own. Sizes
-- stay as they are written: a day is 24 hours only without a zone.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"
local keys <const> = require "tidemill.keys"

local windows = {}

local here <const>, rules <const> = node.here, arguments.rules

local Window <const> = { __name = "window", __metatable = false }

function Window.__index() return nil end
function Window.__newindex() fail("value", "a window never changes") end
function Window.__tostring(self) return "window " .. rawget(self, "kind") end

local ProcessingTime <const> = { __name = "processing time", __metatable = false }
local processing_time <const> = setmetatable({}, ProcessingTime)

-------------------------------------------------------------------------------------------- kinds

local span <const> = arguments.duration_rule("10m", 1)
local rows <const> = {
  function(n) return math.type(n) == "integer" and n >= 1 end, "a number of rows, at least 1",
}
local time <const> = {
  function(value) return rawequal(value, processing_time) end, "tm.processing_time",
}

-- What each takes, in order, then its options; those that are half-open and aligned are `fixed`.
local kinds <const> = {
  tumbling = { "size", size = span, fixed = true, options = { tz = rules.zone, time = time } },
  hopping = {
    "size", "slide", size = span, slide = span, fixed = true,
    options = { tz = rules.zone, time = time },
  },
  cumulate = {
    "size", "step", size = span, step = span, fixed = true,
    options = { tz = rules.zone, time = time },
  },
  sliding = { "span", span = span, options = { time = time } },
  session = { "gap", gap = span, options = { max = span, time = time } },
  count = { "n", n = rows, options = {} },
}

local function make(name, kind)
  local shape <const> = kinds[kind]
  local what <const> = "tm." .. name
  return function(...)
    local where = here(name)
    local given <const> = { ... }
    local result = { kind = kind }
    for i, part in ipairs(shape) do
      if not shape[part][1](given[i]) then
        fail("value", ("%s takes %s as its %s, not %s"):format(what, shape[part][2], part,
          type(given[i]) == "string" and ("'%s'"):format(given[i]) or fail.kind(given[i])), where)
      end
      result[part] = given[i]
    end
    if select("#", ...) > #shape + 1 then
      fail("value", ("%s takes %d value%s and a table of options"):format(what, #shape,
        #shape == 1 and "" or "s"), where)
    end
    local options = arguments.options(what, given[#shape + 1], shape.options, where)
    result.processing = options.time ~= nil or nil
    result.tz, result.max = options.tz, options.max
    return setmetatable(result, Window)
  end
end

function windows.is_window(value)
  return type(value) == "table" and core.metatable(value) == Window
end

--- The plain table that a stage reads.
function windows.options(window)
  local result = {}
  for name, value in next, window do result[name] = value end
  return result
end

--- Is it aligned and half-open: tumbling, hopping, cumulate?
function windows.is_fixed(window) return kinds[rawget(window, "kind")].fixed == true end

--- The functions of tm that make windows.
function windows.functions()
  if not core.has("clock", "step") then return {} end
  return {
    tumbling = make("tumbling", "tumbling"), hopping = make("hopping", "hopping"),
    cumulate = make("cumulate", "cumulate"), sliding = make("sliding", "sliding"),
    session = make("session", "session"), count_window = make("count_window", "count"),
    processing_time = processing_time,
  }
end

--------------------------------------------------------------------------------------- the verb

local option_rules <const> = {
  lateness = arguments.duration_rule("5m", 0),
  late = rules.endpoint,
  emit = {
    function(value)
      local every = type(value) == "string" and value:match "^early%s+(.+)$"
      local us = every and arguments.microseconds(every)
      return us ~= nil and us ~= false and us > 0
    end,
    "\"early 10s\" with any duration",
  },
  fill = rules.yes_no,
}

local windowed <const> = {} -- what may follow window

local Windowed <const> = node.waiting("window of a flow", "window", windowed, { "agg", "top" })

-- The input and keys of what window is called on, and its options with the window.
local function open(self, input, by, window, options)
  local where = here("window", self)
  if not windows.is_window(window) then
    where.help = "tm.tumbling \"1m\", tm.hopping(\"10m\", \"1m\"), tm.session \"5m\" …"
    fail("value", ("window takes a window, not %s"):format(fail.kind(window)), where)
  end
  local result = arguments.options("window", options, option_rules, where)
  for _, name in ipairs { "lateness", "fill" } do
    if result[name] and not windows.is_fixed(window) then
      where.token = name
      fail("value", ("option '%s' of window is for tumbling, hopping and cumulate, not %s"):format(
        name, rawget(window, "kind")), where)
    end
  end
  result.window = windows.options(window)
  return setmetatable({ input = input, keys = by, options = result, place = where.place },
    Windowed)
end

local function complete(self, where, result)
  for name, value in pairs(self.options) do result[name] = value end
  return node.step(where, { self.input }, result)
end

function windowed.agg(self, given)
  local where = here("agg", self)
  local more = { "window_start", "window_end" }
  if self.options.window.kind == "count" then more[3] = "partial" end
  return complete(self, where, keys.agg_options(self.keys, more, given, where))
end

function windowed.top(self, n, options)
  local where = here("top", self)
  local result = keys.top_options(n, options, where)
  if result.per == nil and #self.keys > 0 then result.per = self.keys end
  for name in pairs(self.options) do
    if result[name] ~= nil then
      where.token = name
      fail("option", ("option '%s' belongs to window, not to top"):format(name), where)
    end
  end
  if self.options.fill then
    fail("value", "option 'fill' of window is for agg: an empty window has no top", where)
  end
  return complete(self, where, result)
end

--- Adds the verb to those of flows and of grouped flows.
function windows.add(verbs, grouped)
  function verbs.window(self, window, options) return open(self, self, {}, window, options) end
  function grouped.window(self, window, options)
    return open(self, self.input, self.keys, window, options)
  end
  if not core.has("agg", "step") then windowed.agg = nil end
  if not core.has("top", "step") then windowed.top = nil end
end

--- Names of what may follow window.
function windows.verbs() return core.has("clock", "step") and node.names(windowed) or {} end

return windows
