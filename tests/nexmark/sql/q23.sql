select bidder, price, channel, url, b.extra as bid_extra,
  p.id as person_id, name, "emailAddress", "creditCard", city, state, p.extra as person_extra,
  "itemName", description, "initialBid", reserve, a."dateTime" as "auction_dateTime", expires,
  seller, category, a.extra as auction_extra
from bid b join person p on p.id = b.bidder join auction a on a.seller = b.bidder
