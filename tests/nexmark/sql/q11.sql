with gaps as (
  select bidder, "dateTime" as at,
    at - lag(at) over (partition by bidder order by at) > interval '10 seconds' as opens
  from bid
),
numbered as (
  select bidder, at,
    count(*) filter (where opens) over (partition by bidder order by at) as session
  from gaps
)
select bidder, count(*) as bid_count, min(at) as starttime,
  max(at) + interval '10 seconds' as endtime
from numbered
group by bidder, session
