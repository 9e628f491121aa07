select
    sale._region as region,
    sale.transaction_id,
    {{ local_day('transactions', 'sale') }} as day,
    sale.ordered_at,
    sale.branch_name as branch,
    sale.branch_id,
    pseudonyms.pseudonym as customer_key,
    sale.product_id,
    sale.status_value,
    sale.status,
    sale.quantity,
    sale.price,
    sale.total_amount,
    rates.currency,
    {{ converted('sale.total_amount', 'rates.rate') }} as reporting_amount,
    rates.reporting_currency,
    rates.rate as fx_rate,
    rates.rate_day as fx_rate_day,
    rates.rate_day < rates.day as fx_is_carried
from {{ current_versions('transactions', restated='fct_transactions') }} as sale
inner join {{ pseudonyms() }} as pseudonyms
    on pseudonyms.region = sale._region and pseudonyms.identifier = sale.customer_id
inner join {{ ref('int_day_rates') }} as rates
    on rates.region = sale._region and rates.day = {{ local_day('transactions', 'sale') }}
