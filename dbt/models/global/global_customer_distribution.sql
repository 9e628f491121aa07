select
    *,
    customers / sum(customers) over (partition by region, branch) as customer_share
from {{ ref('customer_distribution') }}
