-- lua/tidemill/node.lua: flows and outputs, the objects that verbs make.
--
-- A flow is a node of the graph to be: a verb, its options, the flows that it takes, and where the
-- script says so. Verbs only describe: each makes a new flow, nothing is read or run, and a flow
-- may be used any number of times. An endpoint is a flow as well: verbs read from it, `to` and the
-- options for refused rows write to it. What can be called on a flow is put in by flow.lua.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"

local node = {}

local Flow <const> = { __name = "flow", __metatable = false }
local Output <const> = { __name = "output", __metatable = false }
local Changelog <const> = { __name = "changelog", __metatable = false }

node.Flow, node.Output = Flow, Output

local function is(value, metatable)
  return type(value) == "table" and core.metatable(value) == metatable
end

function node.is_flow(value) return is(value, Flow) end
function node.is_output(value) return is(value, Output) end
function node.is_changelog(value) return is(value, Changelog) end

--- A new flow. `role` is "source" for an end, "step" otherwise; `place` as core.place gives it.
function node.new(role, verb, taken, options, line, place)
  return setmetatable({
    role = role, verb = verb, inputs = taken, options = options, line = line, place = place,
    label = false, index = false, is_end = role == "source",
  }, Flow)
end

--- A flow and the end that it goes to.
function node.output(input, target, where)
  return setmetatable({
    input = input, target = target, line = where.line, place = where.place, label = false,
  }, Output)
end

--- An end that takes a changelog as it is, with its weights as a column.
function node.changelog(target, where)
  return setmetatable({ target = target, line = where.line, place = where.place }, Changelog)
end

--- Where the call stands that is under way: `where` as fail takes it. `input`: what it is called
--- on, for a verb.
function node.here(verb, input)
  local line, place = core.place(verb, input and rawget(input, "place") or nil)
  return { line = line, place = place, verb = verb }
end

--- The flow that a verb makes out of those that it takes.
function node.step(where, taken, options)
  for _, input in ipairs(taken) do node.check_readable(input, where) end
  return node.new("step", where.verb, taken, options, where.line, where.place)
end

function node.check_readable(f, where)
  if f.is_end and not core.has(f.verb, "source") then
    fail("value", ("tm.%s cannot be read from, only written to"):format(f.verb), where)
  end
end

local function read_only(_, name)
  fail("value", ("field '%s' cannot be set: a flow never changes"):format(tostring(name)),
    { token = tostring(name) })
end
Flow.__newindex, Output.__newindex, Changelog.__newindex = read_only, read_only, read_only

function node.names(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  return list
end

-- "agg, process or window"
local function listed(names)
  table.sort(names)
  if #names < 2 then return names[1] or "nothing" end
  return table.concat(names, ", ", 1, #names - 1) .. " or " .. names[#names]
end

--- The metatable of what one of some verbs must follow: `methods`, those that the engine has;
--- `design`, the names of all of them.
function node.waiting(name, verb, methods, design)
  local Waiting = { __name = name, __metatable = false, __newindex = read_only }
  function Waiting.__index(self, asked)
    if methods[asked] then return methods[asked] end
    local where = { token = tostring(asked), verb = tostring(asked), after = rawget(self, "place") }
    for _, known in ipairs(design) do
      if known == asked then fail.later(asked, where) end
    end
    local names = node.names(methods)
    where.names = names
    fail("verb", ("'%s' cannot follow %s: %s does"):format(tostring(asked), verb, listed(names)),
      where)
  end
  function Waiting.__tostring() return name end
  return Waiting
end

function Flow.__tostring(self)
  return ("flow (%s, line %d)"):format(self.is_end and "tm." .. self.verb or self.verb, self.line)
end
function Output.__tostring(self) return ("output (line %d)"):format(self.line) end

core.set_flow(Flow)

return node
