-- stdlib/nexmark.lua: require "tidemill.nexmark": events of the Nexmark suite, made as read.
--
--   local nexmark = require "tidemill.nexmark"
--   local bids = nexmark { kind = "bid", events = 1000000, seed = 7 }
--
-- An end as tm.csv is one, but only read from. Its options: runtime/connector/nexmark.c.

local fail <const> = require "tidemill.fail"
local node <const> = require "tidemill.node"
local arguments <const> = require "tidemill.arguments"

return function(options)
  local where = node.here "nexmark"
  if type(options) ~= "table" or node.is_flow(options) then
    fail("value", ("nexmark takes its options in a table, not %s"):format(fail.kind(options)),
      where)
  end
  options = arguments.copy("nexmark", options, where)
  if type(options.time) == "string" then options.time = { field = options.time } end
  return node.new("source", "nexmark", {}, options, where.line, where.place)
end
