"""What was rejected: the rows that broke a rule, of published and of refused deliveries, as one table."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
from upath import UPath

from clearer_platform import storage
from clearer_platform.contracts import POSITION
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import accepted_columns, identifier, literal, literals
from clearer_platform.silver.states import Place, states
from clearer_platform.silver.stored import check_readable


def quarantine(
    platform: Platform, region: str, table: str, days: Collection[date] | None = None, rule: str | None = None
) -> pa.Table:
    """The rejected rows of a table (of `days`, or all; that broke `rule`, or any), by day, slot and place.

    `_status` says whether the delivery was `published` without the row, or `refused` as a whole. It holds personal data
    and belongs in the region's root. Raises Damaged where a file is no longer what was written.
    """
    columns = accepted_columns(platform.contract(table))
    found: dict[str, list[UPath | Path]] = {"published": [], "refused": []}
    for one in states(platform, region, table, days):
        place = Place.of(platform, one.slot)
        if one.published and one.published.rejected:
            found["published"].append(place.silver)
        if one.refused and one.refused[0].judged and one.refused[0].rejected:
            found["refused"].append(place.records)
    names = ", ".join(identifier(name) for name, _ in columns)
    broken = f"list_contains(_rules, {literal(rule)})" if rule else "len(_rules) > 0"
    types = ", ".join(f"CAST(NULL AS {kind}) AS {identifier(name)}" for name, kind in columns)
    parts = [f"SELECT NULL::VARCHAR AS _status, {types} LIMIT 0"]
    with _fetched(platform, region, found) as local:
        parts += [
            f"SELECT {literal(status)}, {names} FROM read_parquet([{literals(map(str, files))}], "
            f"union_by_name = true, hive_partitioning = false) WHERE {broken}"
            for status, files in local.items()
            if files
        ]
        with duckdb.connect() as con:
            con.execute("SET TimeZone = 'UTC'")
            query = " UNION ALL ".join(f"({part})" for part in parts)
            within = f", {identifier(POSITION)}" if platform.contract(table).nested else ""
            try:
                return con.execute(f"SELECT * FROM ({query}) ORDER BY _day, _slot, _line{within}").to_arrow_table()
            except duckdb.Error:
                for path in (*found["published"], *found["refused"]):
                    check_readable(path)
                raise


@contextmanager
def _fetched(platform: Platform, region: str, found: dict[str, list[UPath | Path]]) -> Iterator[dict[str, list[Path]]]:
    """Local files with the same content, in the region's own work folder where the root is a bucket."""
    folder = platform.layout(region).work / "quarantine"
    fetched: list[Path] = []
    local: dict[str, list[Path]] = {}
    try:
        for status, paths in found.items():
            for path in paths:
                if not storage.is_local(path):
                    fetched.append(storage.aside(folder / path.name))
                local.setdefault(status, []).append(storage.fetch(path, fetched[-1] if fetched else folder))
        yield local
    finally:
        for path in fetched:
            path.unlink(missing_ok=True)
