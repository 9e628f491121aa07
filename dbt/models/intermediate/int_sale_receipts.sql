-- When each sale that came without a time was received first. Only such sales are looked at, so that this costs nothing where
-- the source knows its times.
select _region as region, rowid, min(_received_at) as received_at
from {{ candidates('sales') }}
where timestamp is null and not {{ is_tombstone('sales') }}
group by _region, rowid
