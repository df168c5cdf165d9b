-- lua/tidemill/layout.lua: from the job that a script returned to a list of nodes.
--
-- Each flow becomes one node, after the flows that it takes, however often it is used. Each output
-- becomes a sink node with one input. An endpoint that takes refused rows becomes one sink node
-- without inputs, which all the steps that name it share. script/plan_builder.c reads the result:
--   { name, line, place, options, stream,
--     nodes = { { role, verb, name, line, place, inputs, options } } }
-- with roles 0 source, 1 step, 2 sink and inputs counted from 0.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local ends <const> = require "tidemill.ends"
local job <const> = require "tidemill.job"

local layout = { on_done = nil }

local roles <const> = { source = 0, step = 1, sink = 2 }

local function add(self, role, of, inputs, options, label)
  local node = {
    role = roles[role], verb = of.verb, name = label or nil, line = of.line, place = of.place,
    inputs = inputs, options = options,
  }
  if label then
    if self.labels[label] then
      fail("value", ("two steps have the name '%s'"):format(label),
        { line = of.line, place = of.place, token = label })
    end
    self.labels[label] = true
  end
  self.nodes[#self.nodes + 1] = node
  return #self.nodes - 1
end

-- "./out//a.csv" and "out/x/../a.csv" are one file.
local function plain_path(path)
  local parts = {}
  for part in path:gmatch "[^/]+" do
    if part == ".." and #parts > 0 and parts[#parts] ~= ".." then
      parts[#parts] = nil
    elseif part ~= "." then
      parts[#parts + 1] = part
    end
  end
  return (path:sub(1, 1) == "/" and "/" or "") .. table.concat(parts, "/")
end

local function claim_path(self, target, line, place)
  local path = rawget(target.options, "path")
  if type(path) ~= "string" or path == "-" then return end
  local key = plain_path(path)
  local before = self.paths[key]
  if before then
    fail("output", ("two outputs write to '%s'"):format(path),
      { line = line, place = place, token = path,
        note = ("the other is at line %d"):format(before) })
  end
  self.paths[key] = line
end

-- The sink of refused rows, shared by all who name the endpoint.
local function rejects_node(self, target)
  if self.rejects[target] then return end
  if not target.is_end or not core.has(target.verb, "sink") then
    fail("value", ("refused rows go to an endpoint; %s cannot be written to"):format(
      target.is_end and "tm." .. target.verb or "a flow"),
      { line = target.line, place = target.place })
  end
  if target.index then
    fail("output", "one endpoint cannot be read and take refused rows as well",
      { line = target.line, place = target.place })
  end
  claim_path(self, target, target.line, target.place)
  target.index = add(self, "sink", target, {}, target.options, target.label)
  self.rejects[target] = true
end

-- Endpoints stand in options at any depth, but not among the rows of a source (`but`).
local function find_rejects(self, options, but)
  for _, value in pairs(options) do
    if node.is_flow(value) then
      rejects_node(self, value)
    elseif type(value) == "table" and value ~= but and core.metatable(value) == nil then
      find_rejects(self, value)
    end
  end
end

local function visit(self, f)
  if f.index then
    if self.rejects[f] then
      fail("output", "one endpoint cannot be read and take refused rows as well",
        { line = f.line, place = f.place })
    end
    return f.index
  end
  local inputs = {}
  for i, input in ipairs(f.inputs) do inputs[i] = visit(self, input) end
  find_rejects(self, f.options, f.verb == "rows" and f.options.rows or nil)
  f.index = add(self, f.role, f, inputs, f.options, f.label)
  return f.index
end

local function place_output(self, output)
  local input = visit(self, output.input)
  local target = output.target
  claim_path(self, target, output.line, output.place)
  if self.rejects[target] then
    fail("output", "one endpoint cannot take both rows and refused rows",
      { line = output.line, place = output.place })
  end
  find_rejects(self, target.options)
  local of = { verb = target.verb, line = output.line, place = output.place }
  add(self, "sink", of, { input }, target.options, output.label or target.label)
end

local function stem(path)
  local name = path:match "([^/]+)$" or path
  return name == "-e" and "inline" or (name:gsub("%.lua$", ""))
end

local function job_of(result, inline)
  if job.is_job(result) then return result end
  if inline then
    if node.is_flow(result) then result = result:to(ends.stdout()) end
    if node.is_output(result) then
      return job.new { options = {}, outputs = { result }, line = 0, place = 0, stream = false }
    end
  end
  local kind = fail.kind(result)
  fail("job", ("the script returned %s, not a job"):format(kind), {
    line = 0, help = inline and "return a flow, or tm.batch { … }"
      or "its last line is: return tm.batch { name = \"…\", flow:to(tm.stdout()) }",
  })
end

--- The layout of what a script returned. `inline`: the text of -e or stdin may return a flow.
function layout.lay_out(result, inline)
  local laid = job_of(result, inline)
  local self = { nodes = {}, labels = {}, paths = {}, rejects = {} }
  for _, output in ipairs(laid.outputs) do place_output(self, output) end
  local options = {}
  for name, value in pairs(laid.options) do
    if name ~= "on_done" and name ~= "name" then options[name] = value end
  end
  layout.on_done = laid.options.on_done
  return {
    name = laid.options.name or stem(core.script()), line = laid.line, place = laid.place,
    options = options, nodes = self.nodes, stream = laid.stream,
  }
end

return layout
