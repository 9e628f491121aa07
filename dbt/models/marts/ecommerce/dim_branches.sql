select
    region,
    branch,
    list_sort(list(distinct branch_id)) as branch_ids,
    count(distinct branch_id) as ids,
    min(day) as first_day,
    max(day) as last_day
from {{ ref('fct_transactions') }}
group by region, branch
