{{ config(severity='warn') }}
select region, branch, transactions from {{ ref('customer_distribution') }} where area = 'unknown'
