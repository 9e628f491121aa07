-- Every day from the first to the last for which sales or conversations were delivered, and every other day on which
-- something happened.
with delivered as (
    select min(day) as first_day, max(day) as last_day
    from (from {{ deliveries('transactions') }} union all from {{ deliveries('conversations') }})
),

days as (
    select cast(unnest(generate_series(first_day, last_day, interval 1 day)) as date) as day from delivered
    union
    select day from {{ ref('fct_transactions') }}
    union
    select day from {{ ref('fct_conversations') }}
)

select
    day,
    year(day) as year,
    quarter(day) as quarter,
    month(day) as month,
    monthname(day) as month_name,
    isoyear(day) as iso_year,
    week(day) as iso_week,
    isodow(day) as weekday,
    dayname(day) as weekday_name,
    isodow(day) >= 6 as is_weekend
from days
