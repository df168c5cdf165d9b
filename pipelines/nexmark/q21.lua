-- Nexmark Q21, add channel id: bids whose channel has a number, of its own or in the url.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local function channel_id(b)
  local channel = b.channel:lower()
  if channel == "apple" then return "0" end
  if channel == "google" then return "1" end
  if channel == "facebook" then return "2" end
  if channel == "baidu" then return "3" end
  return b.url:match "&channel_id=([^&]*)" or b.url:match "^channel_id=([^&]*)"
end

local bids = events.bid()
  :with { channel_id = { channel_id, "string" } }
  :filter(function(b) return b.channel_id ~= nil end)
  :select("auction", "bidder", "price", "channel", "channel_id")

return tm.stream { name = "nexmark-q21", events.output(bids) }
