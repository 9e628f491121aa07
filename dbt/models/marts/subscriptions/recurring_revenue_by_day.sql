-- What begins and ends is summed by day; what runs on a day is the sum of all that changed up to it.
with changes as (
    select region, plan_name, first_day as day, count(*) as subscriptions, sum(price) as price, as_of
    from {{ ref('int_subscription_periods') }}
    where first_day <= as_of
    group by all
    union all
    select region, plan_name, last_day, -count(*), -sum(price), as_of
    from {{ ref('int_subscription_periods') }}
    where last_day <= as_of
    group by all
),

running as (
    select
        region,
        plan_name,
        day,
        lead(day) over plan as next_day,
        cast(sum(sum(subscriptions)) over plan as bigint) as subscriptions,
        sum(sum(price)) over plan as recurring_revenue,
        as_of
    from changes
    group by region, plan_name, day, as_of
    window plan as (partition by region, plan_name order by day)
)

select
    region,
    plan_name,
    cast(unnest(generate_series(day, coalesce(next_day - 1, as_of), interval 1 day)) as date) as day,
    subscriptions,
    recurring_revenue,
    as_of
from running
where subscriptions > 0
