-- Who bought at which branch, over all time: what several roll-ups need, counted once.
select
    region,
    branch,
    currency,
    customer_key,
    count(*) as transactions,
    {{ sum_where('total_amount', "status_value = 'Completed'") }} as revenue
from {{ ref('fct_transactions') }}
group by all
