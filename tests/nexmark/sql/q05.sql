-- A bid is in the five windows that begin at an even second up to eight seconds before it.
with windowed as (
  select auction, epoch_us("dateTime") // 2000000 - back.n as start
  from bid, (select unnest(range(5)) as n) as back
),
counts as (select start, auction, count(*) as num from windowed group by start, auction)
select auction, num
from counts c
where num = (select max(num) from counts m where m.start = c.start)
