{{ branch_performance_by_day(
    ref('fct_transactions'),
    ref('fct_conversations'),
    'sales.day',
    'day',
    keep_restated('sales.region', 'sales.day'),
) }}
