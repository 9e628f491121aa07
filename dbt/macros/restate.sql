{#- Incremental strategies: what is touched is deleted and inserted anew; the rest stays as it is. -#}

{#- By key, for int_<table>: the keys that prepare_versions() found. -#}
{% macro get_incremental_restate_keys_sql(arg_dict) -%}
    {%- set table = model.name[4:] -%}
    delete from {{ arg_dict['target_relation'] }} as held
    using clearer.touched_{{ table }} as touched
    where {% for column in identity_of(table) %}held.{{ column }} = touched.{{ column }}{{ ' and ' if not loop.last }}{% endfor %};
    {{ insert_all(arg_dict) }}
{%- endmacro %}

{#- By region and day, for marts of that grain: the days in restated_days. -#}
{% macro get_incremental_restate_days_sql(arg_dict) -%}
    delete from {{ arg_dict['target_relation'] }} as held
    using {{ ref('restated_days') }} as restated
    where restated.model = '{{ model.name }}' and held.region = restated.region and held.day = restated.day;
    {{ insert_all(arg_dict) }}
{%- endmacro %}

{#- By row, for marts with a row a key: the keys in the model that `meta.restated_keys` names, by the mart's unique key. -#}
{% macro get_incremental_restate_rows_sql(arg_dict) -%}
    delete from {{ arg_dict['target_relation'] }} as held
    using {{ ref(model.config.meta.restated_keys) }} as restated
    where {% for column in arg_dict['unique_key'] %}held.{{ column }} = restated.{{ column }}{{ ' and ' if not loop.last }}{% endfor %};
    {{ insert_all(arg_dict) }}
{%- endmacro %}

{% macro insert_all(arg_dict) -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) select {{ columns }} from {{ arg_dict['temp_relation'] }}
{%- endmacro %}

{#- In a mart of the grain region and day: keep to the days that are being restated. -#}
{% macro keep_restated(region, day) -%}
    {%- set restated = ref('restated_days') -%}
    {%- if is_incremental() %}
    semi join (select * from {{ restated }} where model = '{{ model.name }}') as restated
        on restated.region = {{ region }} and restated.day = {{ day }}
    {%- endif %}
{%- endmacro %}

{#- The mart called `name` as it stands before this build, or none. -#}
{% macro held(name) -%}
    {%- if execute -%}
        {{ return(adapter.get_relation(database=this.database, schema='gold', identifier=name)) }}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

{#-
  For tests: keep to the rows that were just built anew. `restated` is the name of a mart of the grain region and day, or
  `restated_keys` that of the model with the keys of a mart that is restated by row, by its unique key `columns`.
-#}
{% macro among_restated(restated, restated_keys, columns) -%}
    {%- if restated -%}
    semi join (select region, day from {{ ref('restated_days') }} where model = '{{ restated }}') as restated
        using (region, day)
    {%- elif restated_keys -%}
    semi join {{ ref(restated_keys) }} as restated using ({{ columns | join(', ') }})
    {%- endif -%}
{%- endmacro %}
