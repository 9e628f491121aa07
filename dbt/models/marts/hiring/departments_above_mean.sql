with hires as (
    select region, year, department_id as id, department, count(*) as hired
    from {{ ref('fct_hires') }}
    group by region, year, department_id, department
)

-- In whole numbers: hired > total / departments.
select region, year, id, department, hired
from hires
window of_year as (partition by region, year)
qualify hired * count(*) over of_year > sum(hired) over of_year
