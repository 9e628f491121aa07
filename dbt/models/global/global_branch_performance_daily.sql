select
    *,
    rank() over (partition by day order by reporting_revenue desc nulls last) as revenue_rank
from {{ ref('branch_performance_daily') }}
