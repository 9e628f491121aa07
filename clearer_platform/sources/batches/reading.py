"""From what was sent to the lines that its delivery will hold; refused where it is not what it is said to be."""

import codecs
import csv
import io
import json
import sys
from dataclasses import dataclass
from typing import Any, NoReturn

from clearer_platform.contracts import Contract
from clearer_platform.regions import TableSource
from clearer_platform.regions.batches import MOST_ROWS
from clearer_platform.sources.batches.batch import (
    Batch,
    EmptyBatch,
    Form,
    MalformedBatch,
    TooManyRows,
    UnknownColumn,
)
from clearer_platform.sources.json_text import elements, skip

MOST_SHOWN = 60
"""Characters of an unknown key that are shown."""


@dataclass(frozen=True)
class Incoming:
    """The rows of a batch."""

    content: bytes
    """Whole lines, as the delivery will hold them."""
    columns: tuple[str, ...]
    """CSV: the contract's column of each field."""
    skipped: int
    """Lines before the first row in the text that was sent: those of the header."""

    @property
    def lines(self) -> int:
        """Physical lines."""
        return self.content.count(b"\n")


def read(batch: Batch, contract: Contract, source: TableSource) -> Incoming:
    """The rows of a batch. Raises MalformedBatch, UnknownColumn, EmptyBatch or (for JSON) TooManyRows."""
    if Form(batch.form) is Form.JSON:
        return _json(batch.content, contract)
    return _csv(batch.content, batch.header, contract, source)


def check_number(rows: int) -> None:
    """Raise EmptyBatch or TooManyRows where a batch may not have so many rows."""
    if not rows:
        raise EmptyBatch("the batch has no row", hint=f"send 1 to {MOST_ROWS:,} rows")
    if rows > MOST_ROWS:
        raise TooManyRows(f"the batch has {rows:,} rows", hint=f"send at most {MOST_ROWS:,} rows in a batch")


def _json(content: bytes, contract: Contract) -> Incoming:
    text = _decoded(content)
    start = skip(text, 0)
    _check_json(text, start)
    if text[start] != "[":
        raise MalformedBatch("the batch is JSON, but no array", hint="send an array of objects: [{...}, ...]")
    names, lines = {column.name for column in contract.columns}, []
    for number, (line, row) in enumerate(elements(text, start), 1):
        if not isinstance(row, dict):
            raise MalformedBatch(f"row {number} is no object", hint="send an array of objects: [{...}, ...]")
        if (unknown := next((name for name in row if name not in names), None)) is not None:
            raise _unknown(f"row {number} has a key {unknown[:MOST_SHOWN]!r}, which", contract, sorted(names))
        lines.append(line)
    check_number(len(lines))
    return Incoming("".join(f"{line}\n" for line in lines).encode(), (), 0)


def _decoded(content: bytes) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
    except UnicodeDecodeError as e:
        raise MalformedBatch(f"the batch is not UTF-8 text (byte {e.start + 1})", hint="send it as UTF-8") from None


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_STRICT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number)


def _check_json(text: str, start: int) -> None:
    """Raise MalformedBatch where the whole text is not one JSON value."""
    try:
        end = skip(text, _STRICT.raw_decode(text, start)[1])
    except json.JSONDecodeError as e:
        raise MalformedBatch(f"the batch is not JSON: line {e.lineno}, column {e.colno}: {e.msg}") from None
    except RecursionError:
        raise MalformedBatch("the batch is not JSON that can be read: it is nested too deeply") from None
    except ValueError as e:
        raise MalformedBatch(f"the batch is not JSON: {e}") from None
    if end != len(text):
        raise MalformedBatch(f"the batch goes on after its JSON has ended (character {end + 1:,})")


def _csv(content: bytes, header: bool, contract: Contract, source: TableSource) -> Incoming:
    content = content.removeprefix(codecs.BOM_UTF8)
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    if not content.strip(b"\r\n"):
        raise EmptyBatch("the batch is empty", hint=f"send 1 to {MOST_ROWS:,} rows")
    content += b"" if content.endswith(b"\n") else b"\n"
    first, lines = _first_record(content, source)
    if not header:
        return Incoming(content, _in_order(first, contract), 0)
    if first is None:
        raise MalformedBatch("the header is not a well-formed record: check its quotes")
    columns, rest = _named(first, contract, source), content.split(b"\n", lines)[lines]
    if not rest.strip(b"\r\n"):
        raise EmptyBatch("the batch has a header and no row", hint=f"send 1 to {MOST_ROWS:,} rows")
    return Incoming(rest, columns, lines)


def _first_record(content: bytes, source: TableSource) -> tuple[list[str] | None, int]:
    """The fields of the first record (None where it is not well-formed), and the line on which it ends."""
    csv.field_size_limit(sys.maxsize)
    text = io.StringIO(content.decode("utf-8", "replace"), newline="\n")
    rows = csv.reader(text, delimiter=source.csv.delimiter, quotechar=source.csv.quote, strict=True)
    try:
        return next(filter(None, rows), None), rows.line_num
    except csv.Error:
        return None, rows.line_num


def _in_order(first: list[str] | None, contract: Contract) -> tuple[str, ...]:
    """The contract's columns, but for optional ones at the end that the first record lacks."""
    names = [column.name for column in contract.columns]
    least = max(i for i, column in enumerate(contract.columns, 1) if column.required)
    return tuple(names[: len(first)] if first is not None and least <= len(first) else names)


def _named(fields: list[str], contract: Contract, source: TableSource) -> tuple[str, ...]:
    """The contract's columns, as a header names them. What stands there may be a value, and is not repeated."""
    names = {source.columns.get(column.name, column.name): column.name for column in contract.columns}
    for number, field in enumerate(fields, 1):
        if field not in names:
            raise _unknown(f"field {number} of the header", contract, list(names))
        if field in fields[: number - 1]:
            raise MalformedBatch(f"the header has {names[field]!r} more than once")
    for name, column in names.items():
        if contract.column(column).required and name not in fields:
            raise UnknownColumn(f"the header lacks {name!r}, which every row needs")
    return tuple(names[field] for field in fields)


def _unknown(what: str, contract: Contract, known: list[Any]) -> UnknownColumn:
    is_header = what.endswith("header")
    message = f"{what} is no column of {contract.name}"
    hint = f"known: {', '.join(known)}"
    return UnknownColumn(message, hint=f"{hint}; or send it as header=absent" if is_header else hint)
