with final_prices as (
  select a.id, a.category, max(b.price) as final
  from auction a join bid b on a.id = b.auction
  where b."dateTime" between a."dateTime" and a.expires
  group by a.id, a.category
)
select category as id, avg(final) as final from final_prices group by category
