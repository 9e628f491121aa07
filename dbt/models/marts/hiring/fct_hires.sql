with hires as (
    select *, {{ local_day('hired_employees', 'hire') }} as day from {{ current_versions('hired_employees') }} as hire
)

select
    hires._region as region,
    pseudonyms.pseudonym as employee_key,
    hires.day,
    cast(year(hires.day) as integer) as year,
    cast(quarter(hires.day) as integer) as quarter,
    hires.datetime as hired_at,
    hires.department_id,
    departments.department,
    hires.job_id,
    jobs.job
from hires
inner join {{ pseudonyms() }} as pseudonyms
    on pseudonyms.region = hires._region and pseudonyms.identifier = cast(hires.id as varchar)
inner join {{ latest_versions('departments') }} as departments
    on departments._region = hires._region and departments.id = hires.department_id
inner join {{ latest_versions('jobs') }} as jobs
    on jobs._region = hires._region and jobs.id = hires.job_id
