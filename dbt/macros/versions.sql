{#-
  Which version of a key counts. A silver file holds one slot's rows; the same key may stand in several slots. Everything
  here is driven by the contracts, so that a new table needs none of its own SQL.
-#}

{#- What is said of `table` in its contract. -#}
{% macro contract_of(table) -%}
    {%- if table not in var('contracts') and execute -%}
        {{ exceptions.raise_compiler_error("no contract is called " ~ table) }}
    {%- endif -%}
    {{ return(var('contracts').get(table, {'key': [], 'ordering': [], 'columns': [], 'direct': [], 'load_mode': 'upsert'})) }}
{%- endmacro %}

{#- The columns that tell one record of `table` from another: its key within a region; of a shared table, its key. -#}
{% macro identity_of(table) -%}
    {%- set contract = contract_of(table) -%}
    {{ return(contract.key if contract.shared else ['_region'] + contract.key) }}
{%- endmacro %}

{#- The order in which the versions of one key win: the first one counts. -#}
{% macro winner_first(table) -%}
    {%- set contract = contract_of(table) -%}
    {%- set arrival = ['_day', '_received_at', '_delivery', '_line'] -%}
    {%- if contract.load_mode == 'append' -%}
        {{ arrival | join(', ') }}
    {%- else -%}
        {%- for column in contract.ordering + arrival -%}
            {{ column }} desc nulls last{{ ', ' if not loop.last }}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- The columns that gold takes over. Direct identifiers stay in silver but for those that a model asks for by name. -#}
{% macro columns_of(table, direct=[]) -%}
    {%- set contract = contract_of(table) -%}
    {%- set columns = ['_region', '_day', '_slot', '_line'] -%}
    {%- if contract.event_time -%}{%- do columns.append('_event_day') -%}{%- endif -%}
    {%- for column in contract.columns if column in direct or column not in contract.direct -%}
        {%- do columns.append(column) -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{#- The rows that take part: all accepted ones; in mode `full`, those of the latest business day that delivered at all. -#}
{% macro candidates(table, relation) -%}
    {{ relation }}
    {%- if contract_of(table).load_mode == 'full' %}
    semi join (
        select region as _region, max(day) as _day from {{ source('clearer', 'contents') }}
        where table_name = '{{ table }}' group by region
    ) as latest_day using (_region, _day)
    {%- endif %}
{%- endmacro %}

{#- The winning version of every key, tombstones included; only of the keys remembered as touched where `touched`. -#}
{% macro winning_versions(table, touched=false, direct=[]) -%}
    {%- set silver = source('silver', table) -%}
    {%- set contract = contract_of(table) -%}
    {%- set identity = identity_of(table) | join(', ') -%}
    {%- set columns = columns_of(table, direct) | join(', ') -%}
    {%- set deleted = "coalesce(" ~ contract.tombstone ~ ", false)" if contract.tombstone else "false" -%}
    {%- if touched %}
    select {{ columns }}, {{ deleted }} as _is_deleted
    from {{ candidates(table, silver) }}
    semi join clearer.touched_{{ table }} using ({{ identity }})
    qualify row_number() over (partition by {{ identity }} order by {{ winner_first(table) }}) = 1
    {%- else %}
    {#- Only keys that repeat are ranked: a window over every row costs several times the memory. #}
    select {{ columns }}, {{ deleted }} as _is_deleted
    from {{ candidates(table, silver) }}
    anti join (
        select _region, _day, _slot, _line
        from {{ candidates(table, silver) }}
        semi join (
            select {{ identity }} from {{ candidates(table, silver) }} group by all having count(*) > 1
        ) as repeated using ({{ identity }})
        qualify row_number() over (partition by {{ identity }} order by {{ winner_first(table) }}) > 1
    ) as superseded using (_region, _day, _slot, _line)
    {%- endif %}
{%- endmacro %}

{#- The current rows of `table`, computed where it stands: all that a small table's mart needs. -#}
{% macro latest_versions(table, direct=[]) -%}
    (select * exclude (_is_deleted) from ({{ winning_versions(table, false, direct) }}) where not _is_deleted)
{%- endmacro %}

{#- The current rows of `table` as int_<table> keeps them up to date: for tables of many rows. -#}
{% macro current_versions(table) -%}
    (select * exclude (_is_deleted) from {{ ref('int_' ~ table) }} where not _is_deleted)
{%- endmacro %}

{#-
  Before int_<table> is brought up to date: remember the keys that may have another winner now, which are those of the old
  winners in dirty slots (their slot may have lost them) and those of the new rows in dirty slots.
-#}
{% macro remember_touched_keys(table) -%}
    {%- set identity = identity_of(table) | join(', ') -%}
    {%- set is_full = contract_of(table).load_mode == 'full' -%}
    create or replace table clearer.touched_{{ table }} as
    select {{ identity }} from {{ candidates(table, source('silver', table) if is_full else 'dirty.' ~ table) }}
    {%- if is_full %} where _region in (select region from clearer.dirty_slots where table_name = '{{ table }}'){% endif %}
    {%- if is_incremental() %}
    union
    select {{ identity }} from {{ this }} as held
    semi join clearer.dirty_slots as dirty
        on dirty.table_name = '{{ table }}' and dirty.region = held._region
        {%- if not is_full %} and dirty.day = held._day and dirty.slot = held._slot{% endif %}
    {%- endif %}
{%- endmacro %}
