{#-
  Branch performance a day: the one definition behind branch_performance_daily and branch_performance_daily_in(tz).
  `sale_day` and `conversation_day` say on which day a row of the facts counts; `keep` which sales take part.

  Sums are taken by status first and distinct customers and products by grouping twice: filtered sums and count(distinct)
  over every sale take twice the time.
-#}
{% macro branch_performance_by_day(transactions, conversations, sale_day, conversation_day, keep='') -%}
{%- set branch_day -%} sales.region, sales.branch, {{ sale_day }} as day {%- endset -%}
with by_status as (
    select
        {{ branch_day }},
        sales.currency,
        sales.reporting_currency,
        sales.status_value,
        count(*) as number,
        sum(sales.quantity) as units,
        sum(sales.total_amount) as amount,
        sum(sales.reporting_amount) as reporting_amount,
        bool_and(sales.fx_rate is not null) as has_rate,
        bool_or(sales.fx_is_carried) as is_carried
    from {{ transactions }} as sales
    {{ keep }}
    group by all
),

sums as (
    select
        region,
        branch,
        day,
        currency,
        reporting_currency,
        cast(sum(number) as bigint) as transactions,
        cast({{ sum_where('number', "status_value = 'Completed'") }} as bigint) as completed_transactions,
        cast({{ sum_where('number', "status_value = 'Pending'") }} as bigint) as pending_transactions,
        cast({{ sum_where('number', "status_value = 'Failed'") }} as bigint) as failed_transactions,
        cast({{ sum_where('units', "status_value = 'Completed'") }} as bigint) as units,
        {{ sum_where('amount', "status_value = 'Completed'") }} as revenue,
        sum(amount) as gross_amount,
        {{ sum_where('amount', "status_value = 'Pending'") }} as pending_amount,
        {{ sum_where('amount', "status_value = 'Failed'") }} as failed_amount,
        {%- for name, status in [
            ('revenue', "status_value = 'Completed'"), ('gross_amount', 'true'),
            ('pending_amount', "status_value = 'Pending'"), ('failed_amount', "status_value = 'Failed'"),
        ] %}
        -- Null unless every sale of the group has a rate.
        case when bool_and(has_rate) then {{ sum_where('by_status.reporting_amount', status) }} end as reporting_{{ name }},
        {%- endfor %}
        bool_or(is_carried) as fx_is_carried
    from by_status
    group by all
),

first_conversations as (
    select region, customer_key, min({{ conversation_day }}) as first_day
    from {{ conversations }}
    group by region, customer_key
),

buyers as (
    select region, branch, day, count(*) as customers, count(*) filter (where first_day <= day) as conversing_customers
    from (select distinct {{ branch_day }}, sales.customer_key from {{ transactions }} as sales {{ keep }})
    left join first_conversations using (region, customer_key)
    group by region, branch, day
),

assortments as (
    select region, branch, day, count(*) as products
    from (select distinct {{ branch_day }}, sales.product_id from {{ transactions }} as sales {{ keep }})
    group by region, branch, day
)

select
    region,
    branch,
    day,
    currency,
    reporting_currency,
    transactions,
    completed_transactions,
    pending_transactions,
    failed_transactions,
    customers,
    products,
    units,
    conversing_customers,
    revenue,
    gross_amount,
    pending_amount,
    failed_amount,
    reporting_revenue,
    reporting_gross_amount,
    reporting_pending_amount,
    reporting_failed_amount,
    fx_is_carried
from sums
inner join buyers using (region, branch, day)
inner join assortments using (region, branch, day)
{%- endmacro %}
