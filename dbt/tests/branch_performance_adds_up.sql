with facts as (
    select
        region,
        branch,
        count(*) as transactions,
        sum(total_amount) as gross_amount,
        {{ sum_where('total_amount', "status_value = 'Completed'") }} as revenue
    from {{ ref('fct_transactions') }}
    group by region, branch
)

select region, branch
from facts full join {{ ref('branch_performance') }} as performance using (region, branch)
where facts.transactions is distinct from performance.transactions
    or facts.gross_amount is distinct from performance.gross_amount
    or facts.revenue is distinct from performance.revenue
    or performance.revenue + performance.pending_amount + performance.failed_amount is distinct from performance.gross_amount
