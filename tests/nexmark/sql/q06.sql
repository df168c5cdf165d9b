with winning as (
  select a.id, a.seller, b.price, b."dateTime" as sold,
    row_number() over (partition by a.id order by b.price desc, b."dateTime") as place
  from auction a join bid b on a.id = b.auction
  where b."dateTime" between a."dateTime" and a.expires
)
select seller,
  avg(price) over (
    partition by seller order by sold rows between 10 preceding and current row
  ) as avg_price
from winning
where place = 1
