"""The whole flow for tests, without the orchestrator: deliver bytes, bring silver up, build gold, read it."""

from datetime import date, datetime
from io import BytesIO

import pyarrow as pa

from clearer_platform import gold, silver
from clearer_platform.bronze import receive
from clearer_platform.platform import Platform

DAY = date(2024, 3, 31)


def deliver(
    platform: Platform,
    region: str,
    table: str,
    data: bytes | str,
    day: date = DAY,
    slot: str | None = None,
    received_at: datetime | None = None,
) -> None:
    """Hand `data` over as a delivery."""
    raw = data.encode(platform.region(region).source(table).csv.encoding) if isinstance(data, str) else data
    name = slot or f"{table}-{day}.csv"
    receive(platform.layout(region), table, day, name, BytesIO(raw), origin="test", received_at=received_at)


def bring_up(platform: Platform, region: str) -> list[silver.SlotState]:
    """Validate whatever is not current, for every table of the region."""
    return [state for table in platform.region(region).tables for state in silver.bring_up(platform, region, table)]


def run(platform: Platform, *regions: str) -> None:
    """Silver and gold of the regions, then global gold."""
    for region in regions or tuple(platform.registry.regions):
        bring_up(platform, region)
    for region in regions or tuple(platform.registry.regions):
        gold.build(platform, region)
    gold.build_global(platform)


def query(platform: Platform, region: str | None, sql: str) -> pa.Table:
    """What a query on the serving copy answers."""
    connection = gold.connect(platform, region)
    try:
        return connection.sql(sql).to_arrow_table()
    finally:
        connection.close()
