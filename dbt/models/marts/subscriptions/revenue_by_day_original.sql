with first_subscriptions as (
    select
        region,
        store_id,
        arg_min(first_day, (from_date, position)) as day,
        arg_min(price, (from_date, position)) as price,
        as_of
    from {{ ref('int_subscription_periods') }}
    group by region, store_id, as_of
)

select region, day, sum(price) as revenue, as_of
from first_subscriptions
group by region, day, as_of
