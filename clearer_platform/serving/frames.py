"""The Python face: tables as pandas, Arrow or Polars.

DECIMAL stays exact (Python's Decimal in pandas), instants carry their zone, dates are datetime64, and whole numbers
with gaps become Int64 instead of being rounded into floats.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from clearer_platform.errors import ClearerError
from clearer_platform.serving.catalogue import tables as all_tables
from clearer_platform.serving.opening import open_platform
from clearer_platform.serving.reading import read

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("pandas", "arrow", "polars")


def load(
    table: str,
    region: str | None = None,
    start: date | str | None = None,
    end: date | str | None = None,
    timezone: str | None = None,
    as_: Literal["pandas", "arrow", "polars"] = "pandas",
    columns: Sequence[str] | None = None,
    home: str | None = None,
    as_of: date | str | None = None,
    as_of_delivery: date | str | None = None,
) -> Any:
    """Read a table: `load("branch_performance_daily", region="eu", start="2024-10-24")`.

    Without a region, the table built across regions. Days are included at both ends. With a `timezone`, tables that can
    be computed for any zone are (their days begin at that zone's midnight); in all others the instants are shown in it.

    What is still going on is looked at on the as-of date, by default the business day of the newest delivery that
    the table is made from. `as_of` reads a table that depends on it as of any other day, past or to come;
    `as_of_delivery` any table of a region as the deliveries for business days up to that one make it:
    `load("store_lifespan", region="eu", as_of="2025-01-01", as_of_delivery="2024-12-01")`. Either is built when it
    is first asked for, beside what is served and in the region's own work folder, also where gold is served from
    MotherDuck.
    """
    if as_ not in KINDS:
        raise ClearerError(f"as_={as_!r} is unknown", hint=f"use one of {', '.join(KINDS)}")
    found = read(
        open_platform(home),
        table,
        region=region,
        start=_day(start, "start"),
        end=_day(end, "end"),
        timezone=timezone,
        columns=columns,
        as_of=_day(as_of, "as_of"),
        as_of_delivery=_day(as_of_delivery, "as_of_delivery"),
    )
    if as_ == "arrow":
        return found
    if as_ == "polars":
        import polars

        return polars.from_arrow(found)
    return to_pandas(found)


def tables(home: str | None = None) -> "pd.DataFrame":
    """What there is to read: one row a table, with its layer, description, day column and columns."""
    import pandas as pd

    rows = [
        {
            "table": table.name,
            "layer": table.layer,
            "description": table.description,
            "day_column": table.day_column,
            "columns": [column.name for column in table.columns],
        }
        for table in all_tables(open_platform(home))
    ]
    return pd.DataFrame(rows, columns=["table", "layer", "description", "day_column", "columns"])


def to_pandas(table: pa.Table) -> "pd.DataFrame":
    """An Arrow table as a DataFrame in which no figure has lost a digit."""
    import pandas as pd

    gaps = {name for name in table.column_names if table.column(name).null_count}
    whole = {f.name for f in table.schema if f.name in gaps and pa.types.is_integer(f.type)}
    frame: pd.DataFrame = table.drop_columns(sorted(whole)).to_pandas(date_as_object=False)
    for name in whole:
        frame[name] = pd.array(table.column(name).to_pylist(), dtype="Int64")
    ordered: pd.DataFrame = frame[table.column_names]
    return ordered


def _day(value: date | str | None, what: str) -> date | None:
    if value is None or isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ClearerError(f"{what}={value!r} is not a day", hint="write it as 2024-10-27") from None
