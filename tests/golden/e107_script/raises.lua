local tm <const> = require "tidemill"
local function helper(x)
  return x.y.z
end
helper {}
