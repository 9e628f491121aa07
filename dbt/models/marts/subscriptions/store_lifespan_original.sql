-- store_lifespan has the figure of every store that has begun; of the others, which are few, nothing has.
select region, store_id, lifespan_days_original as lifespan_days, as_of
from {{ ref('store_lifespan') }}
union all
select
    region,
    store_id,
    max(coalesce(last_day, as_of)) - min(first_day) as lifespan_days,
    as_of
from {{ ref('int_install_intervals') }}
anti join {{ ref('store_lifespan') }} using (region, store_id)
where not has_begun
group by region, store_id, as_of
