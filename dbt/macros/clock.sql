{#- Days in a region's own time zone. -#}

{#-
  The local business day of a row of `table`. Silver has it in the zone of the source; where that is not the region's zone
  (var `clocks`), it is taken from the instant. DuckDB's conversion costs half a microsecond a row, hence the difference.
-#}
{% macro local_day(table, row) -%}
    {%- set clocks = var('clocks') | selectattr('table', 'equalto', table) | list -%}
    {%- if clocks -%}
    case {{ row }}._region
        {%- for clock in clocks %}
        when '{{ clock.region }}' then cast(timezone('{{ clock.timezone }}', {{ row }}.{{ contract_of(table).event_time }}) as date)
        {%- endfor %}
        else {{ row }}._event_day
    end
    {%- else -%}
    {{ row }}._event_day
    {%- endif -%}
{%- endmacro %}
