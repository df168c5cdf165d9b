-- What does not depend on the wall clock: all bids of a bidder, whatever the windows.
select bidder, count(*) as bid_count from bid group by bidder
