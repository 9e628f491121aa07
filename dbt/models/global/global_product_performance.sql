select
    *,
    rank() over (order by reporting_revenue desc nulls last) as global_revenue_rank
from {{ ref('product_performance') }}
