-- The eight tables of TPC-H as text files: `|` between fields and after the last, no header.
-- A query requires this module and calls the tables that it reads: `tables.lineitem()`. Schemas are
-- whole, for a column that a query does not use is never decoded. Parameter `data` is the folder.

local tm <const> = require "tidemill"

local data <const> = tm.param("data", nil, { help = "folder with the eight *.tbl files" })

local schemas <const> = {
  region = [[
    r_regionkey int64 not null, r_name string not null, r_comment string not null ]],

  nation = [[
    n_nationkey int64 not null, n_name string not null, n_regionkey int64 not null,
    n_comment string not null ]],

  supplier = [[
    s_suppkey int64 not null, s_name string not null, s_address string not null,
    s_nationkey int64 not null, s_phone string not null, s_acctbal decimal(12,2) not null,
    s_comment string not null ]],

  customer = [[
    c_custkey int64 not null, c_name string not null, c_address string not null,
    c_nationkey int64 not null, c_phone string not null, c_acctbal decimal(12,2) not null,
    c_mktsegment string not null, c_comment string not null ]],

  part = [[
    p_partkey int64 not null, p_name string not null, p_mfgr string not null,
    p_brand string not null, p_type string not null, p_size int32 not null,
    p_container string not null, p_retailprice decimal(12,2) not null,
    p_comment string not null ]],

  partsupp = [[
    ps_partkey int64 not null, ps_suppkey int64 not null, ps_availqty int32 not null,
    ps_supplycost decimal(12,2) not null, ps_comment string not null ]],

  orders = [[
    o_orderkey int64 not null, o_custkey int64 not null, o_orderstatus string not null,
    o_totalprice decimal(12,2) not null, o_orderdate date not null,
    o_orderpriority string not null, o_clerk string not null, o_shippriority int32 not null,
    o_comment string not null ]],

  lineitem = [[
    l_orderkey int64 not null, l_partkey int64 not null, l_suppkey int64 not null,
    l_linenumber int32 not null, l_quantity decimal(12,2) not null,
    l_extendedprice decimal(12,2) not null, l_discount decimal(12,2) not null,
    l_tax decimal(12,2) not null, l_returnflag string not null, l_linestatus string not null,
    l_shipdate date not null, l_commitdate date not null, l_receiptdate date not null,
    l_shipinstruct string not null, l_shipmode string not null, l_comment string not null ]],
}

local tables <const> = {}

for name, schema in pairs(schemas) do
  tables[name] = function()
    return tm.csv {
      path      = data .. "/" .. name .. ".tbl",
      delimiter = "|",
      header    = false,
      schema    = schema,
    }
  end
end

return tables
