-- stdlib/nexmark.lua: require "tidemill.nexmark": events of the Nexmark suite, made as read.
--
--   local nexmark = require "tidemill.nexmark"
--   local bids = nexmark { kind = "bid", events = 1000000, seed = 7 }
--   local words = nexmark.side_input "data/side_input.csv"
--
-- An end as tm.csv is one, but only read from. Its options: runtime/connector/nexmark.c. The side
-- input is a table of key and value: the file's, or ten thousand rows where there is none.

local _, core <const> = ...

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"

local nexmark = {}

local keys <const> = 10000

---@class tidemill.NexmarkOptions
---@field kind "person"|"auction"|"bid"
---@field events integer how many of all kinds; of each fifty one is a person, three are auctions
---@field seed? integer 1
---@field step? string|tidemill.Duration event time from one to the next, "100us"
---@field rate? integer events of all kinds a second; as fast as can be
---@field time? string|table event time: "dateTime"; they are out of order by less than 4s

--- The events of one kind.
---@param options tidemill.NexmarkOptions
---@return tidemill.End
local function source(options)
  local where = node.here "nexmark"
  if type(options) ~= "table" or node.is_flow(options) then
    fail("value", ("nexmark takes its options in a table, not %s"):format(fail.kind(options)),
      where)
  end
  options = arguments.copy("nexmark", options, where)
  if type(options.time) == "string" then options.time = { field = options.time } end
  return node.new("source", "nexmark", {}, options, where.line, where.place)
end

--- The file at `path`; without one, or without a path, rows (0, "0") to (9999, "9999").
---@param path string?
---@return tidemill.End
function nexmark.side_input(path)
  local where = node.here "side_input"
  local verb, options = "generate", {
    rows = keys, schema = "key int64 not null, value string not null",
    row = function(i) return { key = i - 1, value = tostring(i - 1) } end,
  }
  if path ~= nil and core.exists(path) then
    verb, options = "csv", { path = path, schema = "key int64 not null, value string" }
  end
  return node.new("source", verb, {}, options, where.line, where.place)
end

return setmetatable(nexmark, {
  __call = function(_, options) return source(options) end,
  __newindex = function() fail("value", "tidemill.nexmark cannot be changed") end,
})
