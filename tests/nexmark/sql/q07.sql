with highest as (
  select max(price) as price, time_bucket(interval '10 seconds', "dateTime") as start
  from bid
  group by start
)
select auction, bidder, b.price, "dateTime", extra
from bid b join highest h on b.price = h.price
where "dateTime" between h.start and h.start + interval '10 seconds'
