select
    products._region as region,
    products.product_id,
    products.name,
    products.category_id,
    products.category_name,
    products.base_price,
    regions.currency,
    products.unit,
    products.weight,
    products.stock,
    products.created_at
from {{ current_versions('products') }} as products
inner join {{ source('clearer', 'regions') }} as regions on regions.region = products._region
