select
    sales.region,
    sales.branch,
    coalesce(customers.area, 'unknown') as area,
    cast(count(*) as bigint) as customers,
    cast(sum(sales.transactions) as bigint) as transactions,
    sum(sales.revenue) as revenue,
    sales.currency
from (
    select
        region, branch, currency, customer_key,
        count(*) as transactions,
        {{ sum_where('total_amount', "status_value = 'Completed'") }} as revenue
    from {{ ref('fct_transactions') }}
    group by all
) as sales
left join {{ ref('dim_customers') }} as customers using (region, customer_key)
group by all
