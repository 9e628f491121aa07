-- What each business day's deliveries said of a product last; corrections delivered for the day itself count.
select
    _region as region,
    product_id,
    _day as day,
    category_id,
    category_name,
    base_price,
    coalesce(is_deleted, false) as is_deleted
from {{ source('silver', 'products') }}
qualify row_number() over (partition by _region, product_id, _day order by {{ winner_first('products') }}) = 1
