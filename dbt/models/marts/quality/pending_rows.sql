{#-
  Driven by the contracts: a reference that rows wait by appears here by itself. All tables that wait are one part of gold by
  this model.
-#}
{% for table, contract in var('contracts').items() %}
{%- for reference in contract.awaited %}
{{ pending_by(table, reference) }}
union all
{% endfor -%}
{% endfor -%}
select
    null::varchar as region,
    null::varchar as table_name,
    null::date as day,
    null::varchar as slot,
    null::bigint as line,
    null::varchar as reference
where false
