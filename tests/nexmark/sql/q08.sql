with users as (
  select distinct id, name, time_bucket(interval '10 seconds', "dateTime") as stime from person
),
sellers as (
  select distinct seller, time_bucket(interval '10 seconds', "dateTime") as stime from auction
)
select id, name, u.stime
from users u join sellers s on u.id = s.seller and u.stime = s.stime
