-- Nexmark Q22, url directories: the first three parts of the path of each bid's url.

local tm <const>     = require "tidemill"
local events <const> = require "events"

local function dir1(b) return b.url:match "^[^/]*/[^/]*/[^/]*/([^/]*)" end
local function dir2(b) return b.url:match "^[^/]*/[^/]*/[^/]*/[^/]*/([^/]*)" end
local function dir3(b) return b.url:match "^[^/]*/[^/]*/[^/]*/[^/]*/[^/]*/([^/]*)" end

local bids = events.bid()
  :with { dir1 = { dir1, "string" }, dir2 = { dir2, "string" }, dir3 = { dir3, "string" } }
  :select("auction", "bidder", "price", "channel", "dir1", "dir2", "dir3")

return tm.stream { name = "nexmark-q22", events.output(bids) }
