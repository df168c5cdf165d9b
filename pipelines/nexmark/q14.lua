-- Nexmark Q14, calculation: bids of some price in euros, by day or night, and how many c they hold.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local rate <const>  = tm.dec "0.908"
local least <const> = tm.dec "1000000"
local most <const>  = tm.dec "50000000"

local function time_type(b)
  local hour = tm.hour(b.dateTime)
  if hour >= 8 and hour <= 18 then return "dayTime" end
  if hour <= 6 or hour >= 20 then return "nightTime" end
  return "otherTime"
end

local function count_c(b)
  local _, count = b.extra:gsub("c", "")
  return count
end

local bids = events.bid()
  :filter(function(b) return rate * b.price > least and rate * b.price < most end)
  :with {
    price = { function(b) return rate * b.price end, "decimal(23,3)" },
    bidTimeType = time_type,
    c_counts = { count_c, "int64" },
  }
  :select("auction", "bidder", "price", "bidTimeType", "dateTime", "extra", "c_counts")

return tm.stream { name = "nexmark-q14", events.output(bids) }
