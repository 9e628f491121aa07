with shares as (
    select
        region,
        branch,
        customers,
        transactions,
        transactions / customers as transactions_per_customer,
        customers / sum(customers) over (partition by region) as customer_share,
        transactions / sum(transactions) over (partition by region) as transaction_share
    from {{ ref('branch_performance') }}
)

select
    *,
    customer_share - transaction_share as activity_gap,
    customers >= median(customers) over (partition by region)
        and transactions_per_customer < median(transactions_per_customer) over (partition by region) as has_gap
from shares
