select
    region,
    year,
    department,
    job,
    {%- for quarter in range(1, 5) %}
    count(*) filter (where quarter = {{ quarter }}) as q{{ quarter }}{{ ',' if not loop.last }}
    {%- endfor %}
from {{ ref('fct_hires') }}
group by region, year, department, job
