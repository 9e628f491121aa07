-- The keys of sales whose fact has to be built anew: those with another winner, and those without a time of their own whose
-- first delivery came late or is gone. On a first build nothing is held and every sale is built.
-- depends_on: {{ ref('int_sales') }}, {{ ref('int_sale_receipts') }}
{% if var('first_build', true) %}

select null::varchar as region, null::bigint as rowid where false

{% else %}

select _region as region, rowid from clearer.held_sales
union
select _region, rowid from {{ ref('int_sales') }} semi join clearer.touched_sales using (_key)
union
select sale.region, sale.rowid
from {{ held('fct_sales') }} as sale
inner join {{ ref('int_sale_receipts') }} as receipts using (region, rowid)
inner join {{ ref('int_sales') }} as version on version._region = sale.region and version.rowid = sale.rowid
where version.timestamp is null and sale.sold_at != receipts.received_at

{% endif %}
