{#-
  No two rows share `columns`. In a mart of the grain region and day (`restated` is its name) the days just built anew are
  looked at; on a first build there the count of facts_equal_current_versions speaks for the key, and ranking every key of a
  long history once more would cost as much as building it.
-#}
{% test unique_key(model, columns, restated=none) %}
{%- set restated_days = ref('restated_days') if restated -%}
select {{ columns | join(', ') }}
from {{ model }}
{%- if restated %}
semi join (select region, day from {{ restated_days }} where model = '{{ restated }}') as restated using (region, day)
{%- endif %}
group by all
having count(*) > 1
{% endtest %}
