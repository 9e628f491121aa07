select
    region,
    store_id,
    min(first_day) filter (where has_begun) as first_day,
    max(least(coalesce(last_day, as_of), as_of)) filter (where has_begun) as last_day,
    cast(sum(active_days) filter (where has_begun) as bigint) as active_days,
    max(coalesce(last_day, as_of)) - min(first_day) as lifespan_days_original,
    count(*) filter (where has_begun and is_return) as gaps,
    bool_or(last_day is null or last_day > as_of) filter (where has_begun) as is_installed,
    as_of
from {{ ref('int_install_intervals') }}
group by region, store_id, as_of
having bool_or(has_begun)
