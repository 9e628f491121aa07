-- The days that each mart of the grain region and day has to build anew: where a touched row was, where it is, and what
-- looks back to it. Compares what the marts hold (from the last build) with what the versions say now; on a first build
-- nothing is held and every day is built.
-- depends_on: {{ ref('int_transactions') }}, {{ ref('int_conversations') }}, {{ ref('int_day_rates') }}
-- depends_on: {{ source('silver', 'conversations') }}, {{ source('clearer', 'pseudonyms') }}
{% if var('first_build', true) %}

select null::varchar as model, null::varchar as region, null::date as day where false

{% else %}
{% set sales, talks = held('fct_transactions'), held('fct_conversations') %}

with sale_days as (
    select _region as region, {{ local_day('transactions', 'sale') }} as day
    from clearer.held_transactions as sale where _is_current
    union
    select _region, {{ local_day('transactions', 'sale') }}
    from {{ ref('int_transactions') }} as sale semi join clearer.touched_transactions using (_key)
    where _is_current
),

rate_days as (
    select held.region, held.day
    from (select distinct region, day, fx_rate, fx_rate_day from {{ sales }}) as held
    left join {{ ref('int_day_rates') }} as rates using (region, day)
    where held.fx_rate is distinct from rates.rate or held.fx_rate_day is distinct from rates.rate_day
),

talks_before as (
    select region, customer_key, day from {{ talks }}
    semi join clearer.touched_conversations as touched on touched._key = conversation_key
),

talks_now as (
    select talk._region as region, pseudonyms.pseudonym as customer_key, {{ local_day('conversations', 'talk') }} as day
    from {{ touched_versions('conversations') }} as talk
    inner join {{ pseudonyms() }} as pseudonyms
        on pseudonyms.region = talk._region and pseudonyms.identifier = talk.customer_id
),

talk_days as (
    select region, customer_key, day, true as was, not is_touched as is_now
    from (
        select talk.region, talk.customer_key, talk.day, touched._key is not null as is_touched
        from {{ talks }} as talk
        semi join (from talks_before union all from talks_now) as talkers
            on talkers.region = talk.region and talkers.customer_key = talk.customer_key
        left join clearer.touched_conversations as touched on touched._key = talk.conversation_key
    )
    union all
    select region, customer_key, day, false, true from talks_now
),

moved as (
    select region, customer_key, min(day) filter (where was) as first_before, min(day) filter (where is_now) as first_now
    from talk_days
    group by region, customer_key
    having min(day) filter (where was) is distinct from min(day) filter (where is_now)
),

conversing_days as (
    select distinct sale.region, sale.day
    from {{ sales }} as sale inner join moved using (region, customer_key)
    where coalesce(first_before <= sale.day, false) != coalesce(first_now <= sale.day, false)
),

fact_days as (
    from sale_days union from rate_days
)

select 'fct_transactions' as model, region, day from fact_days
union all
select distinct 'fct_conversations', region, day from (from talks_before union all from talks_now)
union all
select 'branch_performance_daily', region, day from (from fact_days union from conversing_days)

{% endif %}
