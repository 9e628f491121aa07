with stores as (
    select
        region,
        count(*) as stores,
        sum(active_days) as active_days,
        count(*) filter (where is_installed) as installed
    from {{ ref('store_lifespan') }}
    group by region
),

days as (
    select region, sum(new_stores) as stores, sum(active_stores) as active_days, sum(net_change) as installed
    from {{ ref('activity_by_day') }}
    group by region
),

cohorts as (
    select
        region,
        sum(stores) filter (where months_since = 0) as stores,
        sum(retained_stores) filter (where month = date_trunc('month', as_of)) as installed
    from {{ ref('install_cohorts') }}
    group by region
)

select region
from stores
full join days using (region)
full join cohorts using (region)
where stores.stores is distinct from days.stores
    or stores.stores is distinct from cohorts.stores
    or stores.active_days is distinct from days.active_days
    or stores.installed is distinct from days.installed
    or stores.installed is distinct from cohorts.installed
