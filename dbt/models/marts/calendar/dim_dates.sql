-- Every day of the registry's calendar, once a region. No table of silver is behind it: what is sold or delivered does not
-- move the calendar.
with days as (
    select
        regions.region,
        cast(unnest(generate_series(regions.first_day, regions.last_day, interval 1 day)) as date) as day,
        regions.fiscal_month as first_fiscal_month,
        regions.fiscal_day as first_fiscal_day
    from {{ source('clearer', 'regions') }} as regions
),

-- A fiscal month begins on the day of the month on which the fiscal year does; here both as if on the first.
fiscal as (
    select
        *,
        day - (first_fiscal_day - 1) as moved,
        (month(moved) - first_fiscal_month + 12) % 12 + 1 as fiscal_month,
        year(moved) + cast(
            month(moved) >= first_fiscal_month and (first_fiscal_month, first_fiscal_day) != (1, 1) as integer
        ) as fiscal_year
    from days
)

select
    fiscal.region,
    {{ date_key('fiscal.day') }} as date_key,
    fiscal.day,
    year(fiscal.day) as year,
    quarter(fiscal.day) as quarter,
    'Q' || quarter(fiscal.day) as quarter_name,
    month(fiscal.day) as month,
    monthname(fiscal.day) as month_name,
    dayofmonth(fiscal.day) as day_of_month,
    dayofyear(fiscal.day) as day_of_year,
    isoyear(fiscal.day) as iso_year,
    week(fiscal.day) as iso_week,
    isodow(fiscal.day) as weekday,
    dayname(fiscal.day) as weekday_name,
    isodow(fiscal.day) >= 6 as is_weekend,
    holidays.day is not null as is_holiday,
    holidays.name as holiday_name,
    fiscal.fiscal_year,
    cast(ceil(fiscal.fiscal_month / 3) as bigint) as fiscal_quarter,
    fiscal.fiscal_month
from fiscal
left join {{ source('clearer', 'holidays') }} as holidays
    on holidays.region = fiscal.region and holidays.day = fiscal.day
order by fiscal.region, fiscal.day
