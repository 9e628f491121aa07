"""`clearer load`: read a table."""

import sys
from contextlib import nullcontext
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from clearer_platform.cli.options import AsOf, From, To, day, in_order
from clearer_platform.cli.output import console, note, plural, print_table, progress, shown
from clearer_platform.errors import ClearerError
from clearer_platform.serving.formats import Format, format_of

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 40


def load(
    table: Annotated[str, typer.Argument(help="A table that `clearer tables` lists.", show_default=False)],
    region: Annotated[
        str | None,
        typer.Option("--region", "-r", help="Whose table; without it, the one across regions.", show_default=False),
    ] = None,
    start: From = None,
    end: To = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", "-z", metavar="ZONE", help="IANA zone for days and instants.", show_default=False),
    ] = None,
    columns: Annotated[
        str | None, typer.Option("--columns", help="Only these columns, separated by commas.", show_default=False)
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"] | None,
        typer.Option(
            "--format", "-f", help="By default what the name of --out ends in, else a table.", show_default=False
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write to this file.", show_default=False)
    ] = None,
    as_of: AsOf = None,
    as_of_delivery: Annotated[
        date | None,
        typer.Option(
            "--as-of-delivery",
            parser=day,
            metavar="DAY",
            help="As the deliveries for business days up to this one make it.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Read a table: on the screen, or as CSV, JSON or Parquet for other programs.

    With a timezone, tables that can be computed for any zone are: their days
    begin at that zone's midnight. In all other tables the instants are shown
    in it. Without a region the table across regions is read, where there is
    one.

    What is still going on (an open subscription) is looked at on the as-of
    date: by default the business day of the newest delivery that the table is
    made from. --as-of reads a table that depends on it as of any other day,
    --as-of-delivery any table of a region as it was before later deliveries
    came. Both are built beside what is served, in the region's own work
    folder, when they are first asked for; that is so with MotherDuck too.

    [bold]Examples[/bold]

        clearer load branch_performance_daily --region eu --from 2024-10-26 --to 2024-10-28
        clearer load branch_performance --format csv > branches.csv
        clearer load branch_performance_daily -r us -z Asia/Ho_Chi_Minh -o days.parquet
        clearer load store_lifespan --region eu --as-of 2025-01-01 --as-of-delivery 2024-12-01
    """
    from clearer_platform.serving.opening import open_platform
    from clearer_platform.serving.reading import read

    in_order(start, end)
    chosen = form or (format_of(out) if out else "table")
    if chosen == "table" and out:
        raise ClearerError("a table for the screen does not go into a file", hint="use --format csv, json or parquet")
    platform = open_platform()
    names = [name.strip() for name in columns.split(",")] if columns else None
    is_view = as_of is not None or as_of_delivery is not None
    with progress(f"{table} as of another date") if is_view else nullcontext() as advance:
        found = read(
            platform,
            table,
            region=region,
            start=start,
            end=end,
            timezone=timezone,
            columns=names,
            as_of=as_of,
            as_of_delivery=as_of_delivery,
            progress=advance,
        )
    if chosen == "table":
        show(found, table)
    else:
        layout = platform.layout(region) if region else platform.global_layout
        _give_out(found, Format(chosen), out, layout.work, timezone or "UTC")


def _give_out(rows: "pa.Table", form: Format, out: Path | None, work: Path, zone: str) -> None:
    """Write rows to a file, or to standard output by way of the folder `work`."""
    from clearer_platform.serving.exporting import write_file, write_stream

    if out is not None:
        write_file(rows, out, form, work, zone)
        note(f"{plural(rows.num_rows, 'row')} written to {out}")
        return
    if form is Format.PARQUET and sys.stdout.isatty():
        raise ClearerError("Parquet is not for the screen", hint="name a file with --out, or pipe it somewhere")
    write_stream(rows, sys.stdout.buffer, form, work, zone)


def show(rows: "pa.Table", title: str | None, most: int = SHOWN) -> None:
    """Print the first rows as a table, and say how many there are."""
    fitting = _fitting(rows, most)
    columns = [_values(rows, name, most) for name in fitting]
    print_table(title, fitting, list(zip(*columns, strict=True)), right=[n for n in fitting if _is_number(rows, n)])
    if len(fitting) < rows.num_columns:
        further = ", ".join(rows.column_names[len(fitting) :])
        note(f"columns that did not fit (choose with --columns): {further}")
    if rows.num_rows > most:
        note(f"the first {most} of {plural(rows.num_rows, 'row')}; see all with --format csv or --out FILE")
    elif not rows.num_rows:
        note("no rows")


def _fitting(rows: "pa.Table", most: int) -> list[str]:
    """The columns that fit on the screen, from the left; all where the output is no terminal."""
    if not console().is_terminal:
        return list(rows.column_names)
    room = console().width
    fitting: list[str] = []
    for name in rows.column_names:
        room -= max([len(name), *(len(shown(value)) for value in _values(rows, name, most))]) + 2
        if room < 0 and fitting:
            break
        fitting.append(name)
    return fitting


def _values(rows: "pa.Table", name: str, most: int) -> list[object]:
    """A column's first values; as text where Python has no such days, as the last of 9999 is in a zone further east."""
    from clearer_platform.serving.formats import in_full

    column = rows.slice(0, most).column(name)
    try:
        return [in_full(value) for value in column.to_pylist()]
    except (OverflowError, ValueError):
        return list(column.cast("string").to_pylist())


def _is_number(rows: "pa.Table", name: str) -> bool:
    import pyarrow as pa

    kind = rows.schema.field(name).type
    return bool(pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind))
