with bids as (
  select a.*, b.auction, b.bidder, b.price, b."dateTime" as "bid_dateTime", b.extra as bid_extra,
    row_number() over (partition by a.id order by b.price desc, b."dateTime") as place
  from auction a join bid b on a.id = b.auction
  where b."dateTime" between a."dateTime" and a.expires
)
select * exclude (place) from bids where place = 1
