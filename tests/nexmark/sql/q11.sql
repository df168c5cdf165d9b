with gaps as (
  select bidder, "dateTime" as bid_at,
    bid_at - lag(bid_at) over (partition by bidder order by bid_at) > interval '10 seconds' as opens
  from bid
),
numbered as (
  select bidder, bid_at,
    count(*) filter (where opens) over (partition by bidder order by bid_at) as session
  from gaps
)
select bidder, count(*) as bid_count, min(bid_at) as starttime,
  max(bid_at) + interval '10 seconds' as endtime
from numbered
group by bidder, session
