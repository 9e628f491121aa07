{#-
  Every row finds its day in dim_dates. In a mart of which only some rows are built anew (see among_restated) those are looked
  at; on a first build all are.
-#}
{% test finds_its_day(model, restated=none, restated_keys=none, columns=none) %}
{{ config(severity='warn', meta={'hint': 'their days are outside the calendar: widen [calendar] in regions.toml'}) }}
{%- set narrowed = among_restated(restated, restated_keys, columns) -%}
with found as (
    select region, day, count(*) as number
    from {{ model }}
    {{ narrowed if not var('first_build', true) }}
    group by region, day
)

select region, day, number from found anti join {{ ref('dim_dates') }} as dates using (region, day)
{% endtest %}
