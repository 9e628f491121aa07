with sales as (
    select
        sale.*,
        coalesce(sale.timestamp, receipts.received_at) as sold_at,
        coalesce({{ local_day('sales', 'sale') }}, receipts.day) as day
    from {{ current_versions('sales', restated_keys='restated_sales') }} as sale
    left join {{ ref('int_sale_receipts') }} as receipts
        on receipts.region = sale._region and receipts.rowid = sale.rowid
)

select
    sales._region as region,
    sales.rowid,
    sales.product_id,
    pseudonyms.pseudonym as customer_key,
    {{ date_key('sales.day') }} as date_key,
    sales.day,
    sales.sold_at,
    sales.price,
    sales.quantity,
    cast(cast(sales.price as decimal(28, 2)) * sales.quantity as decimal(28, 2)) as total_price
from sales
inner join {{ pseudonyms() }} as pseudonyms
    on pseudonyms.region = sales._region and pseudonyms.identifier = cast(sales.customer_id as varchar)
