select
    sales.region,
    sales.branch,
    coalesce(customers.area, 'unknown') as area,
    cast(count(*) as bigint) as customers,
    cast(sum(sales.transactions) as bigint) as transactions,
    sum(sales.revenue) as revenue,
    sales.currency
from {{ ref('int_branch_customers') }} as sales
left join {{ ref('dim_customers') }} as customers using (region, customer_key)
group by all
