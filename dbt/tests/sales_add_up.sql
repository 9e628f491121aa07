{%- set levels_of = {
    'sales_by_product': ['product', 'total'],
    'sales_by_customer': ['customer', 'total'],
    'sales_by_day': ['day', 'month', 'quarter', 'year', 'total'],
} %}
with facts as (
    select region, count(*) as sales, sum(quantity) as quantity, sum(total_price) as revenue
    from {{ ref('fct_sales') }}
    group by region
),

expected as (
    {%- for mart, levels in levels_of.items() %}
    select '{{ mart }}' as mart, unnest({{ levels }}) as level, facts.* from facts
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

found as (
    {%- for mart in levels_of %}
    select '{{ mart }}' as mart, level, region, sum(sales) as sales, sum(quantity) as quantity, sum(revenue) as revenue
    from {{ ref(mart) }}
    group by level, region
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select mart, level, region, expected.sales, found.sales as found
from expected full join found using (mart, level, region)
where expected.sales is distinct from found.sales
    or expected.quantity is distinct from found.quantity
    or expected.revenue is distinct from found.revenue
