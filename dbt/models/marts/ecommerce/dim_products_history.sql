with compared as (
    select
        *,
        lag((category_id, category_name, base_price, is_deleted)) over (partition by region, product_id order by day)
            is not distinct from (category_id, category_name, base_price, is_deleted) as is_same
    from {{ ref('stg_product_versions') }}
),

intervals as (
    select *, lead(day) over (partition by region, product_id order by day) as valid_to
    from compared
    where not is_same
)

select
    region,
    product_id,
    day as valid_from,
    valid_to,
    valid_to is null as is_current,
    category_id,
    category_name,
    base_price,
    regions.currency
from intervals
inner join {{ source('clearer', 'regions') }} as regions using (region)
where not is_deleted
