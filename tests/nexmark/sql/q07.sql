with highest as (
  select epoch_us("dateTime") // 10000000 as period, max(price) as price from bid group by all
)
select auction, bidder, b.price, "dateTime", extra
from bid b join highest h
  on epoch_us(b."dateTime") // 10000000 = h.period and b.price = h.price
