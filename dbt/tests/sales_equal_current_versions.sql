with counted as (
    select _region as region, count(*) as expected from {{ ref('int_sales') }} where _is_current group by _region
),

held as (
    select region, count(*) as found from {{ ref('fct_sales') }} group by region
)

select region, expected, found
from counted full join held using (region)
where expected is distinct from found
