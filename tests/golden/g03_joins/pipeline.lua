-- Every kind of join over the same two tables, with nulls, doubles and rows without a partner.
local tm <const> = require "tidemill"
local people = tm.rows { schema = "id int64, name string, city int32",
  { id = 1, name = "Ada", city = 10 }, { id = 2, name = "Bob", city = 20 },
  { id = 3, name = "Cyd", city = 20 }, { id = 4, name = "Dan" },
  { id = 5, name = "Eve", city = 99 },
}
local cities = tm.rows { schema = "city int32, name string, size int64",
  { city = 10, name = "Rome", size = 3 }, { city = 20, name = "Oslo", size = 1 },
  { city = 20, name = "Oslo II", size = 2 }, { city = 30, name = "Nome", size = 1 },
  { name = "nowhere" },
}
local kind <const> = tm.param "kind"
local how <const> = {
  plain = { on = "city", kind = kind, take = { town = "name", "size" } },
  renamed = { on = { city = "code" }, kind = kind, prefix = "r_" },
  where = { on = "city", kind = kind, prefix = "r_",
            where = function(l, r) return r.size > 1 and l.name ~= "Cyd" end },
}
local right = tm.param("how", "plain") == "renamed" and cities:rename { code = "city" } or cities
local options = how[tm.param("how", "plain")]
if kind == "semi" or kind == "anti" then options.take, options.prefix = nil, nil end
return tm.batch { name = "joins", people:join(right, options):to(tm.stdout()) }
