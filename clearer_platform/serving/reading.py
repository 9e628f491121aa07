"""Reading one table into Arrow: from a region's gold, from what is built across regions, or from silver.

The serving copy is opened read-only for one query and closed again; publication replaces the file as a whole, so
nothing is ever half read and no writer waits. As of another date, a view of the region's gold is read instead.
"""

from collections.abc import Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clearer_platform import gold, silver
from clearer_platform.errors import ClearerError, NothingYet, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.serving.catalogue import TableInfo, in_any_zone, tables
from clearer_platform.serving.zones import checked_zone

if TYPE_CHECKING:
    import duckdb


def read(
    platform: Platform,
    name: str,
    *,
    region: str | None = None,
    start: date | None = None,
    end: date | None = None,
    timezone: str | None = None,
    columns: Sequence[str] | None = None,
    as_of: date | None = None,
    as_of_delivery: date | None = None,
    progress: gold.Progress | None = None,
    window: tuple[int, int] | None = None,
) -> pa.Table:
    """The rows of a table from `start` to `end` (both included), instants in `timezone` (UTC by default).

    Without a region the table built across regions is read. Where gold has `<table>_in(zone)`, days are computed anew
    in that zone; elsewhere only the instants are shown in it. With `as_of`, what is still going on is looked at on that
    date; with `as_of_delivery`, only what was delivered for business days up to it counts. `progress` is told what has
    to be built for that. `window` (how many, after how many) reads a part of a built table, ordered by all its columns.
    Raises ClearerError for what is unknown, not built or empty.
    """
    zone = checked_zone(timezone) if timezone else "UTC"
    if start and end and end < start:
        raise ClearerError(f"the range ends ({end}) before it starts ({start})", hint="swap the two days")
    table = find(platform, name, region)
    if (start or end) and not table.day_column:
        raise ClearerError(f"{name} has no day: a range of days does not apply to it", hint="read it without a range")
    if as_of or as_of_delivery:
        _check_dates(platform, table, region, as_of)
    if table.layer == "silver":
        found = _accepted(platform, table, region or "", start, end, as_of_delivery)
    else:
        with closing(_opened(platform, table, region, as_of, as_of_delivery, progress)) as connection:
            found = _built(connection, table, region, start, end, timezone, window)
    if timezone and not table.is_zoned and not any(_is_instant(column.type) for column in found.schema):
        raise ClearerError(
            f"{name} holds no instants: it cannot be shown in another timezone",
            hint="leave the timezone out" if region else "leave the timezone out, or name a region",
        )
    return in_zone(_selected(found, name, columns), zone)


def find(platform: Platform, name: str, region: str | None) -> TableInfo:
    """The table called `name` of a region, or of the global warehouse where `region` is None. Raises UnknownName."""
    delivered = platform.tables(region) if region is not None else []
    known = tables(platform)
    if region is not None:
        fitting = [t for t in known if t.layer == "gold" or (t.layer == "silver" and t.name in delivered)]
    else:
        fitting = [t for t in known if t.layer == "global"]
    for table in fitting:
        if table.name == name:
            return table
    if region is None and any(table.name == name for table in known):
        regions = ", ".join(platform.registry.regions)
        raise ClearerError(
            f"{name} is not built across regions: it stays in each of them", hint=f"name a region: {regions}"
        )
    raise UnknownName("table", name, [table.name for table in fitting])


def in_zone(table: pa.Table, zone: str) -> pa.Table:
    """`table` with every instant shown in `zone`; the instants stay the same."""
    for place, column in enumerate(table.schema):
        if _is_instant(column.type) and column.type.tz != zone:
            shown = table.column(place).cast(pa.timestamp(column.type.unit, tz=zone))
            table = table.set_column(place, pa.field(column.name, shown.type), shown)
    return table


def _is_instant(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) and kind.tz is not None)


def _check_dates(platform: Platform, table: TableInfo, region: str | None, as_of: date | None) -> None:
    """Raise ClearerError where a table cannot be looked at as of another date."""
    if region is None:
        raise ClearerError(
            f"{table.name} is built across regions: as of other dates each region is looked at by itself",
            hint=f"name a region: {', '.join(platform.registry.regions)}",
        )
    if as_of and not table.has_as_of:
        others = ", ".join(other.name for other in tables(platform) if other.layer == "gold" and other.has_as_of)
        raise ClearerError(
            f"{table.name} says the same as of every date",
            hint=f"leave the as-of date out; {others or 'none'} have one",
        )


def _opened(
    platform: Platform,
    table: TableInfo,
    region: str | None,
    as_of: date | None,
    as_of_delivery: date | None,
    progress: gold.Progress | None,
) -> "duckdb.DuckDBPyConnection":
    """What is served, or the view that is asked for."""
    if region is None or not (as_of or as_of_delivery):
        return gold.connect(platform, region)
    model = next(m for m in gold.models(platform) if (m.layer, m.alias) == (table.layer, table.name))
    return gold.view(platform, region, model, as_of=as_of, as_of_delivery=as_of_delivery, progress=progress)


def _built(
    connection: "duckdb.DuckDBPyConnection",
    table: TableInfo,
    region: str | None,
    start: date | None,
    end: date | None,
    zone: str | None,
    window: tuple[int, int] | None,
) -> pa.Table:
    """Rows that dbt built."""
    source = f'"{table.layer}"."{table.name}"'
    parameters: list[object] = []
    if not _is_there(connection, table):
        raise ClearerError(
            f"{table.name} has not been built yet" + (f" for {region}" if region else ""),
            hint="run `clearer materialize`",
        )
    if zone and table.is_zoned:
        source = f'"{table.layer}"."{in_any_zone(table.name)}"(?)'
        parameters.append(zone)
    conditions = []
    for day, sign in ((start, ">="), (end, "<=")):
        if day:
            conditions.append(f'"{table.day_column}" {sign} ?')
            parameters.append(day)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY {', '.join(table.order)}" if table.order else ""
    if window:
        order = " ORDER BY ALL LIMIT ? OFFSET ?"
        parameters += window
    return connection.execute(f"SELECT * FROM {source}{where}{order}", parameters).to_arrow_table()


def _is_there(connection: "duckdb.DuckDBPyConnection", table: TableInfo) -> bool:
    sql = "SELECT count(*) FROM information_schema.tables WHERE table_schema = ? AND table_name = ?"
    return bool(connection.execute(sql, [table.layer, table.name]).fetchall()[0][0])


def _accepted(
    platform: Platform, table: TableInfo, region: str, start: date | None, end: date | None, by: date | None
) -> pa.Table:
    """The accepted records of a region's silver files, delivered for business days up to `by`."""
    wanted = [column.name for column in table.columns]
    layout = platform.layout(region)
    published = [state for state in silver.states(platform, region, table.name) if state.published]
    first = min((state.slot.day for state in published), default=None)
    if by and first and by < first:
        raise NothingYet(region, table.name, by, first)
    parts: list[pa.Table] = []
    for state in published:
        day = state.slot.day
        if (start and day < start) or any(last and day > last for last in (end, by)):
            continue
        path = layout.silver_file(table.name, day, state.slot.name)
        rows = silver.rows_in(path, [*wanted, "_rules"])
        parts.append(rows.filter(pc.equal(pc.list_value_length(rows["_rules"]), 0)).select(wanted))
    if not parts:
        raise ClearerError(
            f"{table.name} {region}: nothing has been accepted for these days", hint="run `clearer materialize`"
        )
    return pa.concat_tables(parts)


def _selected(found: pa.Table, name: str, columns: Sequence[str] | None) -> pa.Table:
    for column in columns or ():
        if column not in found.column_names:
            raise UnknownName(f"column of {name}", column, found.column_names)
    return found.select(list(columns)) if columns else found
