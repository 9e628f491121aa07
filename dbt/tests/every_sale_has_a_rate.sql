{{ config(severity='warn') }}
select region, day from {{ ref('int_day_rates') }} where rate is null
