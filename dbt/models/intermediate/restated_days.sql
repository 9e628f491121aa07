-- The days that each mart of the grain region and day has to build anew: where a touched row was, where it is, and what
-- looks back to it. Compares what the marts hold (from the last build) with what the versions say now; on a first build
-- nothing is held and every day is built.
-- depends_on: {{ ref('int_transactions') }}, {{ ref('int_conversations') }}, {{ ref('int_day_rates') }}
{% set sales, talks = held('fct_transactions'), held('fct_conversations') %}
{% if not sales or not talks %}

select null::varchar as model, null::varchar as region, null::date as day where false

{% else %}

with sale_days as (
    select region, day from {{ sales }} semi join (
        select _region as region, transaction_id from clearer.touched_transactions
    ) using (region, transaction_id)
    union
    select sale._region, {{ local_day('transactions', 'sale') }}
    from {{ current_versions('transactions') }} as sale
    semi join clearer.touched_transactions using (_region, transaction_id)
),

rate_days as (
    select held.region, held.day
    from (select distinct region, day, fx_rate, fx_rate_day from {{ sales }}) as held
    left join {{ ref('int_day_rates') }} as rates using (region, day)
    where held.fx_rate is distinct from rates.rate or held.fx_rate_day is distinct from rates.rate_day
),

touched_talks as (
    select region, customer_key, day from {{ talks }} semi join (
        select _region as region, conversation_id from clearer.touched_conversations
    ) using (region, conversation_id)
    union
    select talk._region, pseudonyms.pseudonym, {{ local_day('conversations', 'talk') }}
    from {{ current_versions('conversations') }} as talk
    semi join clearer.touched_conversations using (_region, conversation_id)
    inner join {{ source('clearer', 'pseudonyms') }} as pseudonyms
        on pseudonyms.region = talk._region and pseudonyms.identifier = talk.customer_id
),

talkers as (
    select region, identifier as customer_id, pseudonym as customer_key
    from {{ source('clearer', 'pseudonyms') }}
    semi join touched_talks on touched_talks.region = pseudonyms.region and touched_talks.customer_key = pseudonym
),

first_held as (
    select talkers.region, talkers.customer_id, min(talk.day) as day
    from {{ talks }} as talk inner join talkers using (region, customer_key)
    group by all
),

first_now as (
    select talkers.region, talkers.customer_id, min({{ local_day('conversations', 'talk') }}) as day
    from {{ current_versions('conversations') }} as talk
    inner join talkers on talkers.region = talk._region and talkers.customer_id = talk.customer_id
    group by all
),

moved as (
    select
        coalesce(first_held.region, first_now.region) as region,
        coalesce(first_held.customer_id, first_now.customer_id) as customer_id,
        first_held.day as held_day,
        first_now.day as now_day
    from first_held full join first_now using (region, customer_id)
    where first_held.day is distinct from first_now.day
),

conversing_days as (
    select distinct sale._region as region, {{ local_day('transactions', 'sale') }} as day
    from {{ current_versions('transactions') }} as sale
    inner join moved on moved.region = sale._region and moved.customer_id = sale.customer_id
    where coalesce(held_day <= {{ local_day('transactions', 'sale') }}, false)
        != coalesce(now_day <= {{ local_day('transactions', 'sale') }}, false)
),

fact_days as (
    select * from sale_days union select * from rate_days
)

select 'fct_transactions' as model, region, day from fact_days
union all
select 'fct_conversations', region, day from touched_talks group by all
union all
select 'branch_performance_daily', region, day from (select * from fact_days union select * from conversing_days)

{% endif %}
