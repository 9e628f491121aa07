with compared as (
    select
        *,
        lag(plan_name) over so_far as previous_plan_name,
        lag(price) over so_far as previous_price,
        max(coalesce(last_day, as_of)) over (so_far rows between unbounded preceding and 1 preceding) as last_day_before
    from {{ ref('int_subscription_periods') }}
    where first_day <= as_of
    window so_far as (partition by region, store_id order by from_date, position)
),

kinds as (
    select
        *,
        greatest(first_day - last_day_before, 0) as gap_days,
        case
            when first_day > last_day_before then 'restart'
            when plan_name = previous_plan_name and price != previous_price then 'price_change'
            when price > previous_price then 'upgrade'
            when price < previous_price then 'downgrade'
            when plan_name != previous_plan_name then 'switch'
        end as kind
    from compared
    where previous_plan_name is not null
)

select
    region,
    store_id,
    position,
    first_day as day,
    kind,
    previous_plan_name,
    previous_price,
    plan_name,
    price,
    gap_days,
    as_of
from kinds
where kind is not null
