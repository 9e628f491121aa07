with products as (
    select region, product_id, count(*) as sales, sum(quantity) as quantity, sum(total_price) as revenue
    from {{ ref('fct_sales') }}
    group by region, product_id
)

{{ cube('products', [('product', ['product_id'])]) }}
