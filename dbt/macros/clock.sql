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

{#-
  The day of `instant` in the zone that the column `timezone` names. DuckDB looks up a zone that stands in a column for
  every row, which takes five times as long as one that stands in the query (var `zones`); UTC needs no look at all.
-#}
{% macro day_in(timezone, instant) -%}
    cast(case {{ timezone }}
        when 'UTC' then make_timestamp(epoch_us({{ instant }}))
        {%- for zone in var('zones') if zone != 'UTC' %}
        when '{{ zone }}' then timezone('{{ zone }}', {{ instant }})
        {%- endfor %}
        else timezone({{ timezone }}, {{ instant }})
    end as date)
{%- endmacro %}

{#- A day as a number, yyyymmdd: the key of dim_dates. -#}
{% macro date_key(day) -%}
    cast(year({{ day }}) * 10000 + month({{ day }}) * 100 + dayofmonth({{ day }}) as integer)
{%- endmacro %}
