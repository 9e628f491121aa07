-- Install intervals of the current picture in the region's days, and what each one changes for its store. What begins
-- after the as-of day is kept apart (has_begun), and does not count for what was before.
with intervals as (
    select
        pictures.region,
        interval.store_id,
        interval.position,
        {{ day_in('regions.timezone', 'interval.from_date') }} as first_day,
        {{ day_in('regions.timezone', 'interval.to_date') }} as last_day,
        interval.start_type,
        interval.end_type,
        pictures.as_of
    from {{ picture('install_intervals') }} as interval
    inner join {{ pictures('stores') }} as pictures on pictures.region = interval._region
    inner join {{ source('clearer', 'regions') }} as regions on regions.region = interval._region
),

-- An interval that goes on reaches the day after the as-of day.
reaching as (
    select
        *,
        first_day <= as_of as has_begun,
        least(coalesce(last_day, as_of + 1), as_of + 1) as reach
    from intervals
),

compared as (
    select
        *,
        first_value(first_day) over so_far as install_day,
        max(reach) over (so_far rows between unbounded preceding and 1 preceding) as reach_before,
        lead(first_day) over so_far as next_day
    from reaching
    window so_far as (partition by region, store_id, has_begun order by first_day, position)
)

select
    region,
    store_id,
    position,
    first_day,
    last_day,
    start_type,
    end_type,
    has_begun,
    install_day,
    reach_before is null as is_new,
    coalesce(first_day > reach_before + 1, false) as is_return,
    greatest(least(reach, as_of) - greatest(first_day, coalesce(reach_before + 1, first_day)) + 1, 0) as active_days,
    case
        when greatest(reach, reach_before) <= as_of and coalesce(next_day > greatest(reach, reach_before) + 1, true)
            then greatest(reach, reach_before)
    end as left_day,
    as_of
from compared
