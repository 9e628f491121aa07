{{ config(severity='warn') }}
select region, branch from {{ ref('dim_branches') }} where ids > 1
