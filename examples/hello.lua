-- The smallest job: rows written in the script, one new column, the terminal.
--
--   tidemill run examples/hello.lua

local tm <const> = require "tidemill"

local people = tm.rows {
  schema = "name string, born int32",
  { name = "Ada", born = 1815 },
  { name = "Grace", born = 1906 },
  { name = "Barbara", born = 1939 },
}

local greetings = people:with {
  greeting = function(p) return "hello, " .. string.upper(p.name) end,
}

return tm.batch { name = "hello", greetings:to(tm.stdout()) }
