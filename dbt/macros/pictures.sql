{#-
  Pictures: what a table in mode `full` said on a business day that delivered it, and the tables nested in its records.
  The latest picture is the current one; the one before tells what changed.
-#}

{#- Of each region, the business days that delivered `table` (or what it is nested in): the `last` ones, from the newest on. -#}
{% macro picture_days(table, last) -%}
    (
        select region as _region, day as _day from {{ deliveries(delivered(table)) }} group by region, day
        qualify row_number() over (partition by region order by day desc) in ({{ last | join(', ') }})
    )
{%- endmacro %}

{#- The table in whose deliveries `table` comes: its parent where it is nested, else itself. -#}
{% macro delivered(table) -%}
    {{ return(contract_of(table).nested or table) }}
{%- endmacro %}

{#-
  The rows of `table` in the latest picture of each region, or in the `last` one but so many. A record that a later one of
  its picture replaces takes the rows nested in it along; int_replaced_<delivered table> has the places of those.
-#}
{% macro picture(table, last=1) -%}
    (
        select * from {{ source('silver', table) }}
        semi join {{ picture_days(table, [last]) }} as days using (_region, _day)
        anti join {{ ref('int_replaced_' ~ delivered(table)) }} using ({{ place() }})
        where {{ has_its_parents(table, table) }}
    )
{%- endmacro %}

{#-
  What only one of the last two pictures of `table` says (balance: 1 the latest, -1 the one before) where rows are the same
  if they agree in their key and in `columns`. Nothing where there is one picture only. A join takes half the time that
  grouping the rows of both would.
-#}
{% macro unmatched(table, columns=[]) -%}
    {%- set key = contract_of(table).key -%}
    (
        select
            coalesce(latest._region, earlier._region) as region,
            {%- for column in key + columns %}
            coalesce(latest.{{ column }}, earlier.{{ column }}) as {{ column }},
            {%- endfor %}
            case when earlier._region is null then 1 else -1 end as balance
        from (
            select * from {{ picture(table, 1) }} semi join {{ picture_days(table, [2]) }} as earlier_days using (_region)
        ) as latest
        full join {{ picture(table, 2) }} as earlier
            on latest._region = earlier._region
            {%- for column in key %}
            and latest.{{ column }} = earlier.{{ column }}
            {%- endfor %}
            {%- for column in columns %}
            and latest.{{ column }} is not distinct from earlier.{{ column }}
            {%- endfor %}
        where latest._region is null or earlier._region is null
    )
{%- endmacro %}

{#-
  The body of int_replaced_<table>: the places of the records that a later one of the same picture replaces, in the latest
  picture and the one before. Only keys that repeat are ranked, as in prepare_versions().
-#}
{% macro replaced(table) -%}
    {%- set identity = (['_day'] + identity_of(table)) | join(', ') -%}
    with records as (
        select * from {{ source('silver', table) }} semi join {{ picture_days(table, [1, 2]) }} as days using (_region, _day)
    )

    select {{ place() }} from records
    semi join (select {{ identity }} from records group by all having count(*) > 1) as repeated using ({{ identity }})
    qualify row_number() over (partition by {{ identity }} order by {{ winner_first(table) }}) > 1
{%- endmacro %}

{#-
  Of each region, the business days of the latest picture of `table` and of the one before, if there is one, and the day
  as of which figures stand: the one that was asked for (var `as_of`), else that of the latest picture.
-#}
{% macro pictures(table) -%}
    (
        select
            _region as region,
            max(_day) as day,
            case when count(*) > 1 then min(_day) end as previous_day,
            {{ "date '" ~ var('as_of') ~ "'" if var('as_of') else 'max(_day)' }} as as_of
        from {{ picture_days(table, [1, 2]) }}
        group by _region
    )
{%- endmacro %}
