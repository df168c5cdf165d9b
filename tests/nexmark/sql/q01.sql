select auction, bidder, (0.908 * price)::decimal(23, 3) as price, "dateTime", extra from bid
