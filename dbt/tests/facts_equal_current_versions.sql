with counted as (
    select 'transactions' as fact, _region as region, count(*) as expected from {{ ref('int_transactions') }}
    where _is_current group by all
    union all
    select 'conversations', _region, count(*) from {{ ref('int_conversations') }}
    where _is_current group by all
),

held as (
    select 'transactions' as fact, region, count(*) as found from {{ ref('fct_transactions') }} group by all
    union all
    select 'conversations', region, count(*) from {{ ref('fct_conversations') }} group by all
)

select fact, region, expected, found
from counted full join held using (fact, region)
where expected is distinct from found
