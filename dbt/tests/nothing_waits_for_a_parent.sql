{{ config(severity='warn') }}
select region, table_name, reference from {{ ref('pending_rows') }}
