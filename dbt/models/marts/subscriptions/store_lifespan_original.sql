select
    region,
    store_id,
    max(coalesce(last_day, as_of)) - min(first_day) as lifespan_days,
    as_of
from {{ ref('int_install_intervals') }}
group by region, store_id, as_of
