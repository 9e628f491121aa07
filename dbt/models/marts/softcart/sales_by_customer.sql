with customers as (
    select region, customer_key, count(*) as sales, sum(quantity) as quantity, sum(total_price) as revenue
    from {{ ref('fct_sales') }}
    group by region, customer_key
)

{{ cube('customers', [('customer', ['customer_key'])]) }}
