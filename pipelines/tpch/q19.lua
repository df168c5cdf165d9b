-- TPC-H Q19, discounted revenue: lines delivered in person by air, for three kinds of part by
-- brand, container, size and quantity.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local small <const> = {
  ["SM CASE"] = true, ["SM BOX"] = true, ["SM PACK"] = true, ["SM PKG"] = true,
}
local medium <const> = {
  ["MED BAG"] = true, ["MED BOX"] = true, ["MED PKG"] = true, ["MED PACK"] = true,
}
local large <const> = {
  ["LG CASE"] = true, ["LG BOX"] = true, ["LG PACK"] = true, ["LG PKG"] = true,
}

local parts = tables.part()
  :filter(function(p)
    return p.p_size >= 1
       and (p.p_brand == "Brand#12" and small[p.p_container] and p.p_size <= 5
         or p.p_brand == "Brand#23" and medium[p.p_container] and p.p_size <= 10
         or p.p_brand == "Brand#34" and large[p.p_container] and p.p_size <= 15)
  end)
  :select { "p_partkey", "p_brand" }

-- Once the part is known to be of one of the three kinds, its brand says which quantities count.
local function quantity_fits(l, p)
  local q = l.l_quantity
  return p.p_brand == "Brand#12" and q >= 1 and q <= 11
      or p.p_brand == "Brand#23" and q >= 10 and q <= 20
      or p.p_brand == "Brand#34" and q >= 20 and q <= 30
end

local revenue = tables.lineitem()
  :filter(function(l)
    return (l.l_shipmode == "AIR" or l.l_shipmode == "AIR REG")
       and l.l_shipinstruct == "DELIVER IN PERSON"
  end)
  :join(parts, { on = { l_partkey = "p_partkey" }, where = quantity_fits })
  :agg { revenue = tm.sum(function(l) return l.l_extendedprice * (1 - l.l_discount) end) }

return tm.batch { name = "tpch-q19", revenue:to(tm.stdout()) }
