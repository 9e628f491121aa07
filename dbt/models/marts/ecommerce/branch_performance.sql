-- Money, units and counts of transactions add up over days; distinct customers and products are counted from the facts.
with totals as (
    select
        region,
        branch,
        currency,
        reporting_currency,
        min(day) as first_day,
        max(day) as last_day,
        count(*) as active_days,
        cast(sum(transactions) as bigint) as transactions,
        cast(sum(completed_transactions) as bigint) as completed_transactions,
        cast(sum(pending_transactions) as bigint) as pending_transactions,
        cast(sum(failed_transactions) as bigint) as failed_transactions,
        cast(sum(units) as bigint) as units,
        cast(sum(cast(is_fewest_units as integer)) as bigint) as days_with_fewest_units,
        sum(revenue) as revenue,
        sum(gross_amount) as gross_amount,
        sum(pending_amount) as pending_amount,
        sum(failed_amount) as failed_amount,
        sum(reporting_revenue) as reporting_revenue,
        sum(reporting_gross_amount) as reporting_gross_amount,
        cast(count(*) filter (where reporting_gross_amount is null) as bigint) as days_without_rate
    from (
        select *, units = min(units) over (partition by region, day) as is_fewest_units
        from {{ ref('branch_performance_daily') }}
    )
    group by all
),

talkers as (
    select distinct region, customer_key from {{ ref('fct_conversations') }}
),

buyers as (
    select region, branch, count(*) as customers, count(talkers.customer_key) as conversing_customers
    from {{ ref('int_branch_customers') }} as sales
    left join talkers using (region, customer_key)
    group by region, branch
),

assortments as (
    select region, branch, count(*) as products
    from (select distinct region, branch, product_id from {{ ref('fct_transactions') }})
    group by region, branch
)

select
    *,
    rank() over (partition by region order by revenue desc) as revenue_rank,
    rank() over (partition by region order by customers desc) as customers_rank,
    rank() over (partition by region order by units desc) as units_rank,
    rank() over (partition by region order by transactions desc) as transactions_rank
from totals
inner join buyers using (region, branch)
inner join assortments using (region, branch)
