{#- Exact decimals. DuckDB multiplies two 64-bit decimals in 64 bits and overflows early, hence the wide operand. -#}

{#- `amount` in the reporting currency, not rounded; null where no rate is known. -#}
{% macro converted(amount, rate) -%}
    cast(cast({{ amount }} as decimal(28, 2)) * {{ rate }} as decimal(38, 10))
{%- endmacro %}

{#- A sum over some of the rows: zero where there are none. -#}
{% macro sum_where(column, condition) -%}
    coalesce(sum({{ column }}) filter (where {{ condition }}), 0)
{%- endmacro %}

{#-
  `amount` times `price`, half up to cents. In 64 bits where both fit, because DuckDB rounds wider decimals fourteen times
  slower.
-#}
{% macro multiplied(amount, price) -%}
    coalesce(
        cast(round(try_cast({{ amount }} as decimal(9, 2)) * try_cast({{ price }} as decimal(9, 2)), 2) as decimal(38, 2)),
        cast(round(cast({{ amount }} as decimal(28, 2)) * {{ price }}, 2) as decimal(38, 2))
    )
{%- endmacro %}
