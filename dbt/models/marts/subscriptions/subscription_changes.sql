-- Elements are compared by all that they say but their position: one that both pictures have is no change, wherever it
-- stands. Of those that only one of them has, the ones of a store that begin at the same instant are one element changed.
with pictures as (
    select * from {{ pictures('stores') }} where previous_day is not null
),

{% for table in ['install_intervals', 'subscription_periods'] %}
{%- set columns = contract_of(table).columns | reject('in', contract_of(table).key) | join(', ') %}
differing_{{ table }} as (
    select
        region,
        store_id,
        from_date,
        balance,
        cast(to_json(struct_pack({{ columns }})) as varchar) as said
    from (
        select
            pictures.region,
            element.store_id,
            {{ columns }},
            sum(case when element._day = pictures.day then 1 else -1 end) as balance
        from {{ picture(table, 2) }} as element
        inner join pictures on pictures.region = element._region
        group by all
        having balance != 0
    )
),
{% endfor %}
differing as (
    select *, 'install_intervals' as table_name from differing_install_intervals
    union all
    select *, 'subscription_periods' from differing_subscription_periods
    union all
    select pictures.region, store.store_id, null, sum(case when store._day = pictures.day then 1 else -1 end), null, 'stores'
    from {{ picture('stores', 2) }} as store
    inner join pictures on pictures.region = store._region
    group by pictures.region, store.store_id
    having sum(case when store._day = pictures.day then 1 else -1 end) != 0
),

numbered as (
    select
        *,
        row_number() over (partition by region, table_name, store_id, from_date, balance > 0 order by said) as number
    from (select *, unnest(range(cast(abs(balance) as bigint))) from differing)
)

select
    region,
    table_name,
    store_id,
    from_date,
    case when bool_and(balance > 0) then 'added' when bool_and(balance < 0) then 'removed' else 'changed' end as change,
    max(said) filter (where balance < 0) as before,
    max(said) filter (where balance > 0) as after,
    pictures.day as picture_day,
    pictures.previous_day as previous_picture_day
from numbered
inner join pictures using (region)
group by region, table_name, store_id, from_date, number, pictures.day, pictures.previous_day
