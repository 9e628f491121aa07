{#- Totals by levels. -#}

{#-
  Sales, quantity and revenue of `rows` a region: in all, and by each of `levels`, from the widest to the narrowest: (name,
  its columns). `level` says what a row is about, so that a total is never taken for a group without a name.
-#}
{% macro cube(rows, levels) -%}
    {%- set columns = levels | map('last') | sum(start=[]) -%}
select
    region,
    case
        {%- for name, own in levels | reverse %}
        when grouping({{ own[0] }}) = 0 then '{{ name }}'
        {%- endfor %}
        else 'total'
    end as level,
    {{ columns | join(', ') }},
    cast(sum(sales) as bigint) as sales,
    cast(sum(quantity) as bigint) as quantity,
    sum(revenue) as revenue
from {{ rows }}
group by region, rollup (
    {%- for _, own in levels %}({{ own | join(', ') }}){{ ', ' if not loop.last }}{% endfor -%}
)
{%- endmacro %}
