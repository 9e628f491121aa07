with first_subscriptions as (
    select
        region,
        store_id,
        arg_min(first_day, (from_date, position)) as day,
        arg_min(price, (from_date, position)) as price
    from {{ ref('int_subscription_periods') }}
    group by region, store_id
)

select region, day, sum(price) as revenue
from first_subscriptions
group by region, day
