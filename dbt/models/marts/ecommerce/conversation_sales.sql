-- A semi-join: a customer with several conversations never multiplies a sale; their number stands in a column.
with conversations as (
    select region, customer_key, count(*) as conversations
    from {{ ref('fct_conversations') }}
    group by region, customer_key
)

select
    sale.region,
    sale.transaction_id,
    sale.customer_key,
    sale.product_id,
    sale.branch as branch_name,
    sale.day as created_date,
    sale.status_value,
    sale.total_amount,
    sale.price,
    {{ multiplied('sale.total_amount', 'sale.price') }} as total_value,
    -- As the source's own report computed it: double by double, its shortest decimal text, half up to cents.
    -- (DuckDB casts text to a wide decimal forty times slower than to one of 64 bits, so that one is tried first.)
    coalesce(
        cast(try_cast(cast(cast(sale.total_amount as double) * cast(sale.price as double) as varchar) as decimal(18, 2)) as decimal(38, 2)),
        cast(cast(cast(sale.total_amount as double) * cast(sale.price as double) as varchar) as decimal(38, 2))
    ) as total_value_original,
    sale.currency,
    conversations.conversations
from {{ ref('fct_transactions') }} as sale
inner join conversations using (region, customer_key)
