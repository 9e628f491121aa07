with sold as (
    select
        region,
        product_id,
        currency,
        reporting_currency,
        count(*) as transactions,
        cast({{ sum_where('quantity', "status_value = 'Completed'") }} as bigint) as units,
        {{ sum_where('total_amount', "status_value = 'Completed'") }} as revenue,
        -- Zero, not null, where a rate is known and nothing was completed.
        case when count(fx_rate) > 0 then {{ sum_where('reporting_amount', "status_value = 'Completed'") }} end as reporting_revenue,
        count(distinct branch) as branches,
        min(day) as first_day,
        max(day) as last_day
    from {{ ref('fct_transactions') }}
    group by all
)

select
    sold.region,
    sold.product_id,
    products.name,
    products.category_name,
    sold.transactions,
    sold.units,
    sold.branches,
    sold.revenue,
    sold.currency,
    sold.reporting_revenue,
    sold.reporting_currency,
    sold.first_day,
    sold.last_day,
    rank() over (partition by sold.region order by sold.revenue desc) as revenue_rank,
    rank() over (partition by sold.region order by sold.units desc) as units_rank
from sold
left join {{ ref('dim_products') }} as products using (region, product_id)
