{#- Exact decimals. DuckDB multiplies two 64-bit decimals in 64 bits and overflows early, hence the wide operand. -#}

{#- `amount` in the reporting currency, not rounded; null where no rate is known. -#}
{% macro converted(amount, rate) -%}
    cast(cast({{ amount }} as decimal(28, 2)) * {{ rate }} as decimal(38, 10))
{%- endmacro %}

{#- A sum over some of the rows: zero where there are none. -#}
{% macro sum_where(column, condition) -%}
    coalesce(sum({{ column }}) filter (where {{ condition }}), 0)
{%- endmacro %}

{#- The same in the reporting currency: null unless every row of the group has a rate. -#}
{% macro reporting_sum_where(column, condition) -%}
    case when bool_and(fx_rate is not null) then {{ sum_where(column, condition) }} end
{%- endmacro %}
