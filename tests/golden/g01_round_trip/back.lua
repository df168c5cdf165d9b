-- Reads one of the copies again; the content says how it is compressed.
local tm <const> = require "tidemill"
local from = tm[tm.param "format"] { path = tm.param "path", schema = [[ id int64 not null,
  store string, qty int32, price decimal(8,2), sold_at timestamp, ok bool, note string ]] }
return tm.batch { name = "back", from:to(tm.csv "again.csv") }
