with days as (
    select region, day, count(*) as sales, sum(quantity) as quantity, sum(total_price) as revenue
    from {{ ref('fct_sales') }}
    group by region, day
),

dated as (
    select *, year(day) as year, quarter(day) as quarter, month(day) as month, {{ date_key('day') }} as date_key from days
)

{{ cube('dated', [('year', ['year']), ('quarter', ['quarter']), ('month', ['month']), ('day', ['day', 'date_key'])]) }}
