{#- No two rows share `columns`; in a mart that was brought up to date, of the days that were just built anew. -#}
{% test unique_key(model, columns, restated=none) %}
{%- set restated_days = ref('restated_days') if restated -%}
select {{ columns | join(', ') }}
from {{ model }}
{%- if restated and not var('first_build', true) %}
semi join (select region, day from {{ restated_days }} where model = '{{ restated }}') as restated using (region, day)
{%- endif %}
group by all
having count(*) > 1
{% endtest %}
