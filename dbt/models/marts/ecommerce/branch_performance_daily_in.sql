{{ config(materialized='table_function', parameters=['tz'], contract={'enforced': false}) }}
{{ branch_performance_by_day(
    ref('fct_transactions').include(database=false),
    ref('fct_conversations').include(database=false),
    'cast(timezone(tz, sales.ordered_at) as date)',
    'cast(timezone(tz, inserted_at) as date)',
) }}
