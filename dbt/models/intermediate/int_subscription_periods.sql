-- Subscription periods of the current picture in the region's days.
select
    pictures.region,
    period.store_id,
    period.position,
    period.plan_name,
    period.price,
    period.from_date,
    {{ day_in('regions.timezone', 'period.from_date') }} as first_day,
    {{ day_in('regions.timezone', 'period.to_date') }} as last_day,
    pictures.as_of
from {{ picture('subscription_periods') }} as period
inner join {{ pictures('stores') }} as pictures on pictures.region = period._region
inner join {{ source('clearer', 'regions') }} as regions on regions.region = period._region
