"""Rows to the bytes that a region would send: everything about the format comes from the registry's TableSource."""

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from clearer_platform.regions import TableSource
from clearer_platform.sample.rows import Cell, Elements, File, Impossible, Row, WallTime

KEPT = 0.6  # of an array that is cut off


def render(
    file: File,
    columns: Sequence[str],
    source: TableSource,
    line_ending: str,
    nested: Mapping[str, TableSource] | None = None,
) -> bytes:
    """The file as it arrives. `columns` are contract columns in the file's order.

    `nested` says how the elements of a column of arrays are written.
    """
    columns = [column for column in columns if column not in file.without]
    if file.is_json_lines:
        return "".join(f"{_json_text(row, columns, source)}\n" for row in file.rows).encode("utf-8", "surrogateescape")
    text = io.StringIO()
    form = source.csv
    writer = csv.writer(text, delimiter=form.delimiter, quotechar=form.quote, lineterminator=line_ending)
    if form.header:
        writer.writerow([source.columns.get(column, column) for column in columns] + list(file.extra))
    for row in file.rows:
        cells = [cell_text(row.values[column], (nested or {}).get(column, source)) for column in columns]
        cells += file.extra.values()
        writer.writerow(cells[: len(cells) + min(0, row.surplus)] + ["?"] * max(0, row.surplus))
    data = text.getvalue().encode(form.encoding, "surrogateescape")
    if file.name.endswith(".gz"):
        data = gzip.compress(data, mtime=0)
    return data[: len(data) * 3 // 5] if file.truncated else data


def _json_text(row: Row, columns: Sequence[str], source: TableSource) -> str:
    """A row as a JSON object: what JSON has a type for as that, the rest as the region writes it."""
    values = {source.columns.get(column, column): row.values[column] for column in columns}
    return json.dumps(
        {name: v if v is None or isinstance(v, str | int) else cell_text(v, source) for name, v in values.items()},
        ensure_ascii=False,
    )


def cell_text(value: Cell, source: TableSource) -> str:
    """One value as the region writes it."""
    form = source.csv
    match value:
        case None:
            return form.nulls[0]
        case bool():
            return (form.true if value else form.false)[0]
        case Decimal():
            return number_text(value, form.decimal, form.thousands)
        case datetime():
            return value.astimezone(ZoneInfo(source.timezone)).strftime(form.datetime)
        case date():
            return value.strftime(form.date)
        case Elements():
            return array_text(value, source)
        case WallTime():
            return value.local.strftime(form.datetime)
        case Impossible():
            return impossible_text(value, form.datetime if isinstance(value.like, datetime) else form.date)
        case _:
            return str(value)


def array_text(array: Elements, source: TableSource) -> str:
    """An array of objects as JSON, its moments as the region writes them."""
    objects = [
        {source.columns.get(name, name): _json_value(value, source) for name, value in element.values.items()}
        for element in array.items
    ]
    text = json.dumps(objects, separators=(",", ":"))
    return text[: round(len(text) * KEPT)] if array.is_cut else text


def _json_value(value: Cell, source: TableSource) -> str | float | bool | None:
    if isinstance(value, Decimal):
        return float(value)
    return value if value is None or isinstance(value, str | bool) else cell_text(value, source)


def number_text(value: Decimal, decimal: str, thousands: str) -> str:
    """A decimal with the region's signs, never in exponents."""
    plain = f"{value:,f}"
    signs = {",": thousands, ".": decimal}
    return "".join(signs.get(sign, sign) for sign in plain)


def impossible_text(value: Impossible, form: str) -> str:
    """31 February of the value's year in a strptime format."""
    like = value.like if isinstance(value.like, datetime) else datetime(value.like.year, 2, 1)
    return like.replace(month=2, day=1).strftime(form.replace("%d", "31"))
