-- Which of two equal prices comes first the suite leaves open; here the columns from left to right.
select *,
  row_number() over (
    partition by auction
    order by price desc, bidder, channel, url, "dateTime", extra
  ) as rank_number
from bid
qualify rank_number <= 10
