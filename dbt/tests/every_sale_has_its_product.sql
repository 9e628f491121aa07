{{ config(severity='warn') }}
select region, product_id from {{ ref('product_performance') }} where name is null
