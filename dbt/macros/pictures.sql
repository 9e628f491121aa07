{#-
  Pictures: what a table in mode `full` said on a business day that delivered it, and the tables nested in its records.
  The latest picture is the current one; the one before tells what changed.
-#}

{#- The last business days that delivered `table` (or what it is nested in), `number` of them a region. -#}
{% macro picture_days(table, number=1) -%}
    (
        select region as _region, day as _day from {{ deliveries(delivered(table)) }} group by region, day
        qualify row_number() over (partition by region order by day desc) <= {{ number }}
    )
{%- endmacro %}

{#- The table in whose deliveries `table` comes: its parent where it is nested, else itself. -#}
{% macro delivered(table) -%}
    {{ return(contract_of(table).nested or table) }}
{%- endmacro %}

{#-
  The rows of `table` in the last pictures, `number` of them a region. A record that a later one of its picture replaces
  takes the rows nested in it along; int_replaced_<delivered table> has the places of those.
-#}
{% macro picture(table, number=1) -%}
    (
        select * from {{ source('silver', table) }}
        semi join {{ picture_days(table, number) }} as days using (_region, _day)
        anti join {{ ref('int_replaced_' ~ delivered(table)) }} using ({{ place() }})
        where {{ has_its_parents(table, table) }}
    )
{%- endmacro %}

{#-
  The body of int_replaced_<table>: the places of the records that a later one of the same picture replaces, in the latest
  picture and the one before. Only keys that repeat are ranked, as in prepare_versions().
-#}
{% macro replaced(table) -%}
    {%- set identity = (['_day'] + identity_of(table)) | join(', ') -%}
    with records as (
        select * from {{ source('silver', table) }} semi join {{ picture_days(table, 2) }} as days using (_region, _day)
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
        from {{ picture_days(table, 2) }}
        group by _region
    )
{%- endmacro %}
