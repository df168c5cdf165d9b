-- Rows that are refused for every reason that a batch has, by readers, checks and functions.
local tm <const> = require "tidemill"
local schema <const> = [[ id int64 not null, price decimal(8,2), qty int32,
  at timestamp('Europe/Berlin'), name string ]]
local function source(make, path)
  return make { path = path, schema = schema, bad = tm.jsonl("out/bad-" .. path:sub(4)) }
end

local function good(flow, path)
  return flow
    :check("qty is positive", function(r) return r.qty == nil or r.qty > 0 end,
           tm.csv("out/checked-" .. path))
    :with { half = function(r) if r.qty == 7 then error "seven" end return r.qty end }
    :with {
      squared = { function(r) return r.price * r.price end, "decimal(10,4)" },
      big = { function(r) return r.qty == 13 and 3000000000 or 1 end, "int32" },
      text = { function(r) return r.qty == 14 and string.rep("\xff", 2) or "-" end, "string" },
    }
    :select("id", "price", "qty", "at", "name", "squared")
    :to(tm.csv("out/good-" .. path))
end

return tm.batch { name = "rejects",
  good(source(tm.csv, "in/a.csv"), "a.csv"),
  good(source(tm.jsonl, "in/b.jsonl"), "b.csv"),
}
