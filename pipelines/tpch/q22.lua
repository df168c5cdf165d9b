-- TPC-H Q22, global sales opportunity: customers of seven countries with more than the average
-- positive balance who have never ordered, by country code.

local tm <const>     = require "tidemill"
local tables <const> = require "tables"

local codes <const> = {
  ["13"] = true, ["31"] = true, ["23"] = true, ["29"] = true,
  ["30"] = true, ["18"] = true, ["17"] = true,
}

local customers = tables.customer()
  :with { cntrycode = function(c) return string.sub(c.c_phone, 1, 2) end }
  :filter(function(c) return codes[c.cntrycode] end)
  :select { "c_custkey", "cntrycode", "c_acctbal" }

local average = customers
  :filter(function(c) return c.c_acctbal > tm.dec "0.00" end)
  :agg { average = tm.avg "c_acctbal" }

local opportunity = customers
  :join(average, { on = {}, where = function(c, a) return c.c_acctbal > a.average end })
  :join(tables.orders(), { kind = "anti", on = { c_custkey = "o_custkey" } })
  :group_by "cntrycode"
  :agg { tm.count():as "numcust", tm.sum "c_acctbal":as "totacctbal" }
  :sort "cntrycode"

return tm.batch { name = "tpch-q22", opportunity:to(tm.stdout()) }
