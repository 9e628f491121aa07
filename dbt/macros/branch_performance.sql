{#-
  Branch performance a day: the one definition behind branch_performance_daily and branch_performance_daily_in(tz).
  `sale_day` and `conversation_day` say on which day a row of the facts counts.
-#}
{% macro branch_performance_by_day(transactions, conversations, sale_day, conversation_day, keep='') -%}
select
    sales.region,
    sales.branch,
    {{ sale_day }} as day,
    sales.currency,
    sales.reporting_currency,
    count(*) as transactions,
    count(*) filter (where status_value = 'Completed') as completed_transactions,
    count(*) filter (where status_value = 'Pending') as pending_transactions,
    count(*) filter (where status_value = 'Failed') as failed_transactions,
    count(distinct sales.customer_key) as customers,
    count(distinct sales.product_id) as products,
    cast({{ sum_where('quantity', "status_value = 'Completed'") }} as bigint) as units,
    count(distinct sales.customer_key) filter (where first_day <= {{ sale_day }}) as conversing_customers,
    {{ sum_where('total_amount', "status_value = 'Completed'") }} as revenue,
    sum(total_amount) as gross_amount,
    {{ sum_where('total_amount', "status_value = 'Pending'") }} as pending_amount,
    {{ sum_where('total_amount', "status_value = 'Failed'") }} as failed_amount,
    {{ reporting_sum_where('reporting_amount', "status_value = 'Completed'") }} as reporting_revenue,
    {{ reporting_sum_where('reporting_amount', "true") }} as reporting_gross_amount,
    {{ reporting_sum_where('reporting_amount', "status_value = 'Pending'") }} as reporting_pending_amount,
    {{ reporting_sum_where('reporting_amount', "status_value = 'Failed'") }} as reporting_failed_amount,
    bool_or(fx_is_carried) as fx_is_carried
from {{ transactions }} as sales
left join (
    select region, customer_key, min({{ conversation_day }}) as first_day
    from {{ conversations }}
    group by region, customer_key
) as first_conversations using (region, customer_key)
{{ keep }}
group by all
{%- endmacro %}
