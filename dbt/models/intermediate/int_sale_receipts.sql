-- When each sale that came without a time was received first. Only such sales are looked at, so that this costs nothing where
-- the source knows its times.
with receipts as (
    select _region as region, rowid, min(_received_at) as received_at
    from {{ candidates('sales') }}
    where timestamp is null and not {{ is_tombstone('sales') }}
    group by _region, rowid
)

select
    receipts.region,
    receipts.rowid,
    receipts.received_at,
    {{ day_in('regions.timezone', 'receipts.received_at') }} as day
from receipts
inner join {{ source('clearer', 'regions') }} as regions on regions.region = receipts.region
