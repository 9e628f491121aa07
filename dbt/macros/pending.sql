{#-
  Rows that wait for a parent. Where a contract says so of a reference, gold holds a row back as pending while no current row
  of the parent table has the key that the row names. It follows from what the deliveries say now, so a row is released when
  its parent arrives and held back again when the parent goes. A new table needs no SQL for it: what the macros of
  versions.sql and pictures.sql give as the current rows of a table are those that are not held back.
-#}

{#- Whether `row`, a winning version of `table`, counts: it neither deletes its key nor waits for a parent. -#}
{% macro is_current(table, row) -%}
    not {{ is_tombstone(table) }} and {{ has_its_parents(table, row) }}
{%- endmacro %}

{#- Whether every parent that `row`, a row of `table`, waits for is there. -#}
{% macro has_its_parents(table, row) -%}
    {%- for reference in contract_of(table).awaited -%}
    not {{ lacks_parent(reference, row) }}{{ ' and ' if not loop.last }}
    {%- else -%}
    true
    {%- endfor -%}
{%- endmacro %}

{#- Whether `row` names a parent by this reference that is not there. What is shared is there for every region. -#}
{% macro lacks_parent(reference, row) -%}
    {%- set parent = contract_of(reference.table) -%}
    (
        {%- for column in reference.columns %}{{ row }}.{{ column }} is not null and {% endfor -%}
        not exists (
            select 1 from {{ existing(reference.table) }} as parent
            where {% if not parent.shared %}parent._region = {{ row }}._region and {% endif %}
            {%- for column in reference.columns %}
            parent.{{ parent.key[loop.index0] }} = {{ row }}.{{ column }}{{ ' and ' if not loop.last }}
            {%- endfor %}
        )
    )
{%- endmacro %}

{#- Rows with every key that `table` has now. Which version of a key counts matters only where a version may not count. -#}
{% macro existing(table) -%}
    {%- set contract = contract_of(table) -%}
    {%- if contract.tombstone or contract.awaited -%}
    {{ latest_versions(table) }}
    {%- else -%}
    (select * from {{ candidates(table) }})
    {%- endif -%}
{%- endmacro %}

{#- The keys of `table` whose winner, as int_<table> has it, counts now and did not, or the reverse. -#}
{% macro released_or_held_back(table, index) -%}
    select {% for column in identity_of(table) %}held.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ index }} as held
    inner join {{ source('silver', table) }} as winner using ({{ place() }})
    where held._is_current is distinct from ({{ is_current(table, 'winner') }})
{%- endmacro %}

{#- The current rows of `table` that wait for a parent by this reference. Only keys with a row that might are ranked. -#}
{% macro pending_by(table, reference) -%}
    {%- set identity = identity_of(table) | join(', ') -%}
    select
        latest._region as region,
        '{{ table }}' as table_name,
        latest._day as day,
        latest._slot as slot,
        latest._line as line,
        '{{ reference.name }}' as reference
    from (
        select * from {{ candidates(table) }}
        semi join (
            select {{ identity }} from {{ candidates(table) }} where {{ lacks_parent(reference, table) }}
        ) as waiting using ({{ identity }})
        qualify row_number() over (partition by {{ identity }} order by {{ winner_first(table) }}) = 1
    ) as latest
    where not {{ is_tombstone(table) }} and {{ lacks_parent(reference, 'latest') }}
{%- endmacro %}
