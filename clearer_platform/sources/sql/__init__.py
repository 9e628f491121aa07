"""Database servers: any table of a MySQL or PostgreSQL server (of others, through SQLAlchemy) that the registry names.

Every reading sees one snapshot. It brings the rows from the last watermark on, an overlap before it; from time to time
all rows are compared with those delivered, which finds updates and deletes that a watermark cannot show.

`server.py` opens a snapshot, `table.py` and its kinds write rows as CSV, `spool.py` keeps them on the way, `reading.py`
makes deliveries of them, `delivered.py` finds those that came before, `comparing.py` what differs from them, and
`watermarks.py` knows how far was read.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime

from clearer_platform.bronze import Receipt
from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.sources.failure import Failure

__all__ = ["collect", "tables"]


def collect(
    platform: Platform, region: str, table: str, days: Collection[date] | None = None
) -> list[Receipt | Failure]:
    """Read a table that is on a server: what it has now is of the region's business day, if that is asked for."""
    entry = platform.region(region)
    today = entry.today(datetime.now(UTC))
    if entry.sql_source(table) is None or (days is not None and today not in days):
        return []
    # SQLAlchemy and its drivers are loaded where there is a server.
    from clearer_platform.sources.sql.reading import fetch

    try:
        return [*fetch(platform, region, table)]
    except ClearerError as e:
        return [Failure(region, table, today, e)]


def tables(platform: Platform, region: str) -> list[str]:
    """The tables of a region that are on servers."""
    entry = platform.region(region)
    return [table for table in entry.tables if entry.sql_source(table)]
