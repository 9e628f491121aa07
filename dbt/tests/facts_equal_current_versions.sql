with counted as (
    select 'transactions' as fact, _region as region, count(*) as expected from {{ current_versions('transactions') }} group by all
    union all
    select 'conversations', _region, count(*) from {{ current_versions('conversations') }} group by all
),

held as (
    select 'transactions' as fact, region, count(*) as found from {{ ref('fct_transactions') }} group by all
    union all
    select 'conversations', region, count(*) from {{ ref('fct_conversations') }} group by all
)

select fact, region, expected, found
from counted full join held using (fact, region)
where expected is distinct from found
