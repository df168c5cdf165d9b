select auction, bidder, price, channel, url, b."dateTime" as "bid_dateTime",
  b.extra as bid_extra, "itemName", description, "initialBid", reserve,
  a."dateTime" as "auction_dateTime", expires, seller, category, a.extra as auction_extra
from bid b join auction a on b.auction = a.id
where a.category = 10
