with started as (
    select region, first_day as day, count(*) as subscriptions_started, sum(price) as revenue, as_of
    from {{ ref('int_subscription_periods') }}
    group by region, first_day, as_of
),

running as (
    select region, day, cast(sum(subscriptions) as bigint) as subscriptions, sum(recurring_revenue) as recurring_revenue
    from {{ ref('recurring_revenue_by_day') }}
    group by region, day
),

days as (
    select region, as_of, cast(unnest(generate_series(min(day), as_of, interval 1 day)) as date) as day
    from started
    group by region, as_of
)

select
    region,
    day,
    coalesce(subscriptions_started, 0) as subscriptions_started,
    coalesce(revenue, 0) as revenue,
    coalesce(subscriptions, 0) as subscriptions,
    coalesce(recurring_revenue, 0) as recurring_revenue,
    days.as_of
from days
left join started using (region, day)
left join running using (region, day)
