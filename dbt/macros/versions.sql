{#-
  Which version of a key counts. A silver file holds one slot's rows; the same key may stand in several slots. Everything
  here is driven by the contracts, so that a new table needs none of its own SQL.

  int_<table> is an index: the key and the place (slot and line) of every winning version. What the rows say stays in
  silver, so that no direct identifier ever enters a warehouse.
-#}

{#- What is said of `table` in its contract. -#}
{% macro contract_of(table) -%}
    {%- if table not in var('contracts') and execute -%}
        {{ exceptions.raise_compiler_error("no contract is called " ~ table) }}
    {%- endif -%}
    {{ return(var('contracts').get(table, {'key': [], 'ordering': [], 'load_mode': 'upsert', 'awaited': []})) }}
{%- endmacro %}

{#- The columns that tell one record of `table` from another. The surrogate key has the region in it. -#}
{% macro identity_of(table) -%}
    {{ return(contract_of(table).key if contract_of(table).shared else ['_key']) }}
{%- endmacro %}

{#- The place of a row in silver. -#}
{% macro place() -%}
    _region, _day, _slot, _line
{%- endmacro %}

{#- The order in which the versions of one key win: the first one counts. What a backup brought back came before all. -#}
{% macro winner_first(table) -%}
    {%- set contract = contract_of(table) -%}
    {%- set arrival = ['not _replaces', '_day', '_received_at', '_delivery', '_line'] -%}
    {%- if contract.load_mode == 'append' -%}
        {{ arrival | join(', ') }}
    {%- else -%}
        {%- for column in contract.ordering + arrival -%}
            {{ column }} desc nulls last{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- Whether a row deletes its key. -#}
{% macro is_tombstone(table) -%}
    {%- set column = contract_of(table).tombstone -%}
    {{ 'coalesce(' ~ column ~ ', false)' if column else 'false' }}
{%- endmacro %}

{#-
  Region and business day of every delivery of `table`. This is the way to `clearer.contents`: it says which table is meant,
  and what is made from that table is built anew when the table changes, and not when any other does.
-#}
{% macro deliveries(table) -%}
    {%- do source('silver', table) -%}
    (select region, day from clearer.contents where table_name = '{{ table }}')
{%- endmacro %}

{#- The rows that take part: all accepted ones; in mode `full`, those of the latest business day that delivered at all. -#}
{% macro candidates(table) -%}
    {{ source('silver', table) }}
    {%- if contract_of(table).load_mode == 'full' %}
    semi join (
        select region as _region, max(day) as _day from {{ deliveries(table) }} group by region
    ) as latest_day using (_region, _day)
    {%- endif %}
{%- endmacro %}

{#-
  The body of int_<table>. On a first build of all keys, afterwards of those that prepare_versions() found touched. `also`
  names columns of the key that are kept beside it, where a mart is restated by them.
-#}
{% macro winning_versions(table, also=[]) -%}
    {%- set identity = identity_of(table) -%}
    {%- set event_time = contract_of(table).event_time -%}
    {%- set columns = identity + ['_region', '_day', '_slot', '_line'] + also -%}
    {%- if event_time -%}
        {%- do columns.append('_event_day') -%}
        {%- if event_time not in columns -%}{%- do columns.append(event_time) -%}{%- endif -%}
    {%- endif -%}
    select {{ columns | join(', ') }}, {{ is_current(table, table) }} as _is_current
    from {{ candidates(table) }}
    {%- if is_incremental() %}
    semi join clearer.touched_{{ table }} using ({{ identity | join(', ') }})
    qualify row_number() over (partition by {{ identity | join(', ') }} order by {{ winner_first(table) }}) = 1
    {%- else %}
    anti join clearer.superseded_{{ table }} using ({{ place() }})
    {%- endif %}
{%- endmacro %}

{#-
  Runs before int_<table> is brought up to date.

  Later builds: which keys may have another winner now. Those are the keys of the old winners in dirty slots (their slot may
  have lost them) and those of the new rows in dirty slots; the old winners are noted too, for the days that they leave. Where
  rows wait for parents, also the keys whose winner's parents have come or gone.
  First build: the places of the rows that do not win. Only keys that repeat are ranked: a window over every row costs
  several times the time and memory.
-#}
{% macro prepare_versions(table) -%}
    {%- set identity = identity_of(table) | join(', ') -%}
    {%- set is_full = contract_of(table).load_mode == 'full' -%}
    {%- if is_incremental() %}
    create or replace table clearer.touched_{{ table }} as
    select {{ identity }} from {{ candidates(table) if is_full else 'dirty.' ~ table }}
    {%- if is_full %} where _region in (select region from clearer.dirty_slots where table_name = '{{ table }}'){% endif %}
    union
    select {{ identity }} from {{ this }} as held
    semi join clearer.dirty_slots as dirty
        on dirty.table_name = '{{ table }}' and dirty.region = held._region
        {%- if not is_full %} and dirty.day = held._day and dirty.slot = held._slot{% endif %}
    {%- if contract_of(table).awaited %}
    union
    {{ released_or_held_back(table, this) }}
    {%- endif %};
    create or replace table clearer.held_{{ table }} as
    select * from {{ this }} semi join clearer.touched_{{ table }} using ({{ identity }})
    {%- else %}
    create or replace table clearer.superseded_{{ table }} as
    select {{ place() }} from {{ candidates(table) }}
    semi join (
        select {{ identity }} from {{ candidates(table) }} group by all having count(*) > 1
    ) as repeated using ({{ identity }})
    qualify row_number() over (partition by {{ identity }} order by {{ winner_first(table) }}) > 1
    {%- endif %}
{%- endmacro %}

{#- The current rows of `table`, found where it stands: all that the mart of a small table needs. -#}
{% macro latest_versions(table) -%}
    (
        select * from (
            select * from {{ candidates(table) }}
            qualify row_number() over (
                partition by {{ identity_of(table) | join(', ') }} order by {{ winner_first(table) }}
            ) = 1
        ) as latest where {{ is_current(table, 'latest') }}
    )
{%- endmacro %}

{#-
  The current rows of `table` by way of int_<table>, which later builds need not find again: for tables of many rows. With
  `restated`, the name of a mart of the grain region and day, only the rows of the days for which it is built anew; with
  `restated_keys`, the name of the model that has them, only those of the keys in it.
-#}
{% macro current_versions(table, restated=none, restated_keys=none) -%}
    {%- set silver, index = candidates(table), ref('int_' ~ table) -%}
    {%- set restated_days = ref('restated_days') if restated -%}
    {%- set keys = ref(restated_keys) if restated_keys -%}
    {%- if var('first_build', true) -%}
    (
        select * from {{ silver }} anti join clearer.superseded_{{ table }} using ({{ place() }})
        where {{ is_current(table, table) }}
    )
    {%- else -%}
    (
        select * from {{ silver }} semi join (
            select {{ place() }} from {{ index }} as version
            {%- if restated %}
            semi join (select * from {{ restated_days }} where model = '{{ restated }}') as restated
                on restated.region = version._region and restated.day = {{ local_day(table, 'version') }}
            {%- endif %}
            {%- if restated_keys %}
            semi join {{ keys }} as restated
                on restated.region = version._region
                {%- for column in contract_of(table).key %} and restated.{{ column }} = version.{{ column }}{% endfor %}
            {%- endif %}
            where _is_current
        ) as winners using ({{ place() }})
    )
    {%- endif -%}
{%- endmacro %}

{#- The current rows of `table` whose key was touched by this build. -#}
{% macro touched_versions(table) -%}
    (
        select * from {{ candidates(table) }} semi join (
            select {{ place() }} from {{ ref('int_' ~ table) }}
            semi join clearer.touched_{{ table }} using ({{ identity_of(table) | join(', ') }})
            where _is_current
        ) as winners using ({{ place() }})
    )
{%- endmacro %}
