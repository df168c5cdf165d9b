-- Writes the orders in every format, plain and compressed.
local tm <const> = require "tidemill"
local orders = tm.csv { path = "orders.csv", schema = [[ id int64 not null, store string, qty int32,
  price decimal(8,2), sold_at timestamp, ok bool, note string ]] }
return tm.batch { name = "copies",
  orders:to(tm.csv "out/orders.csv"),
  orders:to(tm.csv "out/orders.tsv"),
  orders:to(tm.jsonl "out/orders.jsonl"),
  orders:to(tm.msgpack "out/orders.msgpack"),
  orders:to(tm.csv "out/deep/er/orders.csv.gz"),
  orders:to(tm.jsonl "out/orders.jsonl.zst"),
  orders:to(tm.msgpack "out/orders.msgpack.gz"),
}
