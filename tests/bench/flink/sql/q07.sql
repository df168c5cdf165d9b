SELECT b.auction, b.bidder, b.price, b.`dateTime`, b.extra
FROM bid AS b JOIN (
  SELECT MAX(price) AS price, window_end
  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(`dateTime`), INTERVAL '10' SECOND))
  GROUP BY window_start, window_end
) AS m
ON b.price = m.price
WHERE b.`dateTime` BETWEEN m.window_end - INTERVAL '10' SECOND AND m.window_end
