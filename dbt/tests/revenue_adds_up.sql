with periods as (
    select
        region,
        count(*) as started,
        sum(price) as revenue,
        count(*) filter (where last_day is null or last_day > as_of) as subscriptions,
        {{ sum_where('price', 'last_day is null or last_day > as_of') }} as recurring_revenue
    from {{ ref('int_subscription_periods') }}
    where first_day <= as_of
    group by region
),

days as (
    select
        region,
        sum(subscriptions_started) as started,
        sum(revenue) as revenue,
        sum(subscriptions) filter (where day = as_of) as subscriptions,
        sum(recurring_revenue) filter (where day = as_of) as recurring_revenue
    from {{ ref('revenue_by_day') }}
    group by region
)

select region
from periods full join days using (region)
where periods.started is distinct from days.started
    or periods.revenue is distinct from days.revenue
    or periods.subscriptions is distinct from days.subscriptions
    or periods.recurring_revenue is distinct from days.recurring_revenue
