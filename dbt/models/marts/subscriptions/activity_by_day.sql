with intervals as (
    select * from {{ ref('int_install_intervals') }} where has_begun
),

arrivals as (
    select
        region,
        first_day as day,
        count(*) filter (where is_new) as new_stores,
        count(*) filter (where is_return) as returned_stores
    from intervals
    group by region, first_day
),

departures as (
    select region, left_day as day, count(*) as churned_stores
    from intervals
    where left_day is not null
    group by region, left_day
),

-- A store may end, or begin, several intervals on one day.
reasons as (
    select
        region,
        day,
        count(distinct store_id) filter (where reason = 'CUSTOMER_REACTIVATED') as reactivated_stores,
        count(distinct store_id) filter (where reason = 'CUSTOMER_REOPENED') as reopened_stores,
        count(distinct store_id) filter (where reason = 'CUSTOMER_CANCELLED') as cancelled_stores,
        count(distinct store_id) filter (where reason = 'CUSTOMER_CLOSED') as closed_stores
    from (
        select region, store_id, first_day as day, start_type as reason from intervals where start_type is not null
        union all
        select region, store_id, last_day, end_type from intervals where end_type is not null and last_day <= as_of
    )
    group by region, day
),

days as (
    select region, as_of, cast(unnest(generate_series(min(first_day), as_of, interval 1 day)) as date) as day
    from intervals
    group by region, as_of
),

changes as (
    select
        region,
        day,
        coalesce(new_stores, 0) as new_stores,
        coalesce(returned_stores, 0) as returned_stores,
        coalesce(churned_stores, 0) as churned_stores,
        coalesce(reactivated_stores, 0) as reactivated_stores,
        coalesce(reopened_stores, 0) as reopened_stores,
        coalesce(cancelled_stores, 0) as cancelled_stores,
        coalesce(closed_stores, 0) as closed_stores,
        as_of
    from days
    left join arrivals using (region, day)
    left join departures using (region, day)
    left join reasons using (region, day)
)

-- A store is still active on the day with which it leaves.
select
    region,
    day,
    cast(sum(net_change) over so_far + churned_stores as bigint) as active_stores,
    new_stores,
    returned_stores,
    churned_stores,
    net_change,
    reactivated_stores,
    reopened_stores,
    cancelled_stores,
    closed_stores,
    as_of
from (select *, new_stores + returned_stores - churned_stores as net_change from changes)
window so_far as (partition by region order by day)
