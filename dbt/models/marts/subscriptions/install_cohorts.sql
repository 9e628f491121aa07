with intervals as (
    select *, cast(date_trunc('month', install_day) as date) as cohort_month
    from {{ ref('int_install_intervals') }}
    where has_begun
),

cohorts as (
    select region, cohort_month, as_of, count(*) as stores from intervals where is_new group by all
),

arrived as (
    select region, cohort_month, cast(date_trunc('month', first_day) as date) as month, count(*) as stores
    from intervals
    where is_new or is_return
    group by all
),

-- Who left with the last day of a month is no longer there at its end.
departed as (
    select
        region,
        cohort_month,
        cast(date_trunc('month', left_day) as date) as month,
        count(*) as departures,
        count(distinct store_id) as stores
    from intervals
    where left_day is not null
    group by all
),

reasons as (
    select
        region,
        cohort_month,
        cast(date_trunc('month', last_day) as date) as month,
        count(distinct store_id) filter (where end_type = 'CUSTOMER_CANCELLED') as cancelled_stores,
        count(distinct store_id) filter (where end_type = 'CUSTOMER_CLOSED') as closed_stores
    from intervals
    where end_type is not null and last_day <= as_of
    group by all
),

converted as (
    select
        region,
        intervals.cohort_month,
        greatest(cast(date_trunc('month', paid.first_day) as date), intervals.cohort_month) as month,
        count(*) as stores
    from intervals
    inner join (
        select region, store_id, min(first_day) as first_day
        from {{ ref('int_subscription_periods') }}
        where first_day <= as_of and price > 0
        group by region, store_id
    ) as paid using (region, store_id)
    where intervals.is_new
    group by all
),

months as (
    select *, cast(unnest(generate_series(cohort_month, as_of, interval 1 month)) as date) as month from cohorts
),

so_far as (
    select
        months.*,
        cast(sum(coalesce(arrived.stores, 0) - coalesce(departed.departures, 0)) over so_far as bigint) as retained_stores,
        cast(sum(coalesce(converted.stores, 0)) over so_far as bigint) as converted_stores,
        coalesce(departed.stores, 0) as churned_stores,
        coalesce(cancelled_stores, 0) as cancelled_stores,
        coalesce(closed_stores, 0) as closed_stores
    from months
    left join arrived using (region, cohort_month, month)
    left join departed using (region, cohort_month, month)
    left join reasons using (region, cohort_month, month)
    left join converted using (region, cohort_month, month)
    window so_far as (partition by region, cohort_month order by month)
)

select
    region,
    cohort_month,
    datediff('month', cohort_month, month) as months_since,
    month,
    stores,
    retained_stores,
    retained_stores / stores as retention,
    converted_stores,
    converted_stores / stores as conversion,
    churned_stores,
    cancelled_stores,
    closed_stores,
    as_of
from so_far
