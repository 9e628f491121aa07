-- Elements are compared by all that they say but their position: one that both pictures have is no change, wherever it
-- stands. Of those that only one of them has, the ones of a store that begin at the same instant are one element changed.
with pictures as (
    select * from {{ pictures('stores') }} where previous_day is not null
),

{% for table in ['install_intervals', 'subscription_periods'] %}
{%- set columns = contract_of(table).columns | reject('in', contract_of(table).key) | list %}
differing_{{ table }} as (
    select
        region,
        store_id,
        from_date,
        balance,
        cast(to_json(struct_pack({{ columns | join(', ') }})) as varchar) as said
    from (
        select region, store_id, {{ columns | join(', ') }}, sum(balance) as balance
        from {{ unmatched(table, columns) }}
        group by all
        having sum(balance) != 0
    )
),
{% endfor %}
differing as (
    select *, 'install_intervals' as table_name from differing_install_intervals
    union all
    select *, 'subscription_periods' from differing_subscription_periods
    union all
    select region, store_id, null, balance, null, 'stores' from {{ unmatched('stores') }}
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
