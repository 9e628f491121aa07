with current_rows as (
    select _region as region, count(*) as expected from {{ ref('int_hired_employees') }} group by region
),

hired as (
    select region, count(*) as hires from {{ ref('fct_hires') }} group by region
),

waiting as (
    select region, count(distinct (day, slot, line)) as pending
    from {{ ref('pending_rows') }}
    where table_name = 'hired_employees'
    group by region
)

select region, expected, hires, pending
from current_rows
full join hired using (region)
full join waiting using (region)
where expected is distinct from coalesce(hires, 0) + coalesce(pending, 0)
