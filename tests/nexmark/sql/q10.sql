select auction, bidder, price, "dateTime", extra,
  strftime("dateTime", '%Y-%m-%d') as dt, strftime("dateTime", '%H:%M') as hm
from bid
