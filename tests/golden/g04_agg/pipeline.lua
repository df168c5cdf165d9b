-- Every aggregate, grouped by a column with nulls, ungrouped, and of no rows at all.
local tm <const> = require "tidemill"
local sales = tm.csv { path = "sales.csv", schema = [[ store string, day date, qty int32,
  price decimal(8,2), weight float64 ]] }
local all <const> = {
  tm.count(), tm.count "qty":as "sold",
  tm.sum "qty", tm.sum "price":as "paid", tm.sum "weight",
  tm.avg "qty":as "avg_qty", tm.avg "price":as "avg_price",
  tm.min "day":as "first_day", tm.max "weight":as "heaviest",
  tm.first "qty":as "first_qty", tm.last "price":as "last_price",
  tm.stddev "qty":as "sd", tm.variance "qty":as "var",
  tm.count_distinct "day":as "days", tm.median "price":as "mid",
  tm.quantile("qty", 0.25):as "q25",
  tm.sum(function(s) return s.qty * 2 end, {
    where = function(s) return s.qty ~= nil end }):as "twice",
  tm.count({ where = function(s) return s.weight ~= nil and s.weight > 0 end }):as "positive",
}
local how <const> = tm.param "how"
local flow = how == "grouped" and sales:group_by "store":agg(all)
  or how == "all" and sales:agg(all)
  or how == "none" and sales:filter(function(s) return s.qty == 1000 end):agg(all)
  or how == "none grouped" and sales:filter(function(s) return s.qty == 1000 end)
    :group_by "day":agg(all)
  or sales:group_by("store", "day"):agg { tm.count(), z = tm.max "qty", b = tm.min "price" }
return tm.batch { name = "agg", flow:to(tm.stdout()) }
