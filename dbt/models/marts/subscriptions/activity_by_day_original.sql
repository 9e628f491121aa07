with stores as (
    select
        region,
        store_id,
        first_day as day,
        bool_or(last_day is null) as is_active,
        bool_or(last_day is not null) as is_new,
        coalesce(bool_or(end_type = 'CUSTOMER_CANCELLED'), false) as is_uninstall,
        as_of
    from {{ ref('int_install_intervals') }}
    group by region, store_id, first_day, as_of
)

select
    region,
    day,
    count(*) filter (where is_active) as active,
    count(*) filter (where is_new) as new,
    count(*) filter (where is_uninstall) as uninstalls,
    as_of
from stores
group by region, day, as_of
