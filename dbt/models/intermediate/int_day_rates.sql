-- The last rate known on or before each day of sales. One row a region and day, so that no join multiplies a sale.
with days as (
    select distinct _region as region, {{ local_day('transactions', 'sale') }} as day
    from {{ ref('int_transactions') }} as sale
    where _is_current
),

rates as (
    select currency, day as rate_day, rate from {{ current_versions('fx_rates') }}
)

select
    days.region,
    days.day,
    regions.currency,
    regions.reporting_currency,
    case when regions.currency = regions.reporting_currency then 1 else rates.rate end as rate,
    case when regions.currency = regions.reporting_currency then days.day else rates.rate_day end as rate_day
from days
inner join {{ source('clearer', 'regions') }} as regions using (region)
asof left join rates on rates.currency = regions.currency and rates.rate_day <= days.day
