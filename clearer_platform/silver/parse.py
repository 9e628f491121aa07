"""From text to typed values: one SQL expression a column, NULL where the text is not such a value.

Every cast stands behind a regex made from the region's format: alone, casts round 1.239 to 1.24, take 1e3, 1_000 and
0x10 for numbers, and 01.03.24 for a day of the year 24. Text is never trimmed.
"""

import re

import ibis.expr.datatypes as dt

from clearer_platform.regions import CsvFormat
from clearer_platform.silver.sql import literal, literals, sql_type

YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
DIRECTIVES = {
    "Y": YEAR,
    "y": "[0-9]{2}",
    "m": "(?:0[1-9]|1[0-2])",
    "d": "(?:0[1-9]|[12][0-9]|3[01])",
    "H": "(?:[01][0-9]|2[0-3])",
    "I": "(?:0[1-9]|1[0-2])",
    "M": "[0-5][0-9]",
    "S": "[0-5][0-9]",
    "f": "[0-9]{1,6}",
    "p": "(?i:am|pm)",
    "b": f"(?i:{'|'.join(month[:3] for month in MONTHS)})",
    "B": f"(?i:{'|'.join(MONTHS)})",
}
ISO = {
    *("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"),
    *("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"),
}
"""Formats that a guarded cast reads as strptime does, in half the time."""


def kind(dtype: dt.DataType) -> str | None:
    """What a text that is not of the type is not, as the rule calls it; None for text, which anything is."""
    if isinstance(dtype, dt.String):
        return None
    if isinstance(dtype, dt.Integer):
        return "integer"
    if isinstance(dtype, dt.Decimal):
        return "decimal"
    if isinstance(dtype, dt.Floating):
        return "number"
    return "timestamp" if isinstance(dtype, dt.Timestamp) else type(dtype).__name__.lower()


def parsed(dtype: dt.DataType, text: str, csv: CsvFormat) -> str:
    """The value of the SQL expression `text`. An instant's is its local time, still without a zone."""
    if isinstance(dtype, dt.String):
        return text
    if isinstance(dtype, dt.Boolean):
        true, false = (f"{text} IN ({literals(words)})" if words else "false" for words in (csv.true, csv.false))
        return f"CASE WHEN {true} THEN true WHEN {false} THEN false END"
    if isinstance(dtype, dt.Timestamp):
        return _moment(text, csv.datetime, "TIMESTAMP")
    if isinstance(dtype, dt.Date):
        return _moment(text, csv.date, "DATE")
    return _number(dtype, text, csv)


def _number(dtype: dt.DataType, text: str, csv: CsvFormat) -> str:
    digits = "[0-9]+"
    plain = text
    if csv.thousands:
        digits = f"(?:[0-9]+|[0-9]{{1,3}}(?:{re.escape(csv.thousands)}[0-9]{{3}})+)"
        plain = f"replace({plain}, {literal(csv.thousands)}, '')"
    fraction = _fraction(dtype, csv.decimal)
    if fraction and csv.decimal != ".":
        plain = f"replace({plain}, {literal(csv.decimal)}, '.')"
    return _guarded(text, f"-?{digits}{fraction}", f"try_cast({plain} AS {sql_type(dtype)})")


def _fraction(dtype: dt.DataType, sign: str) -> str:
    """A pattern for the decimals that the type can hold exactly."""
    if isinstance(dtype, dt.Floating):
        return f"(?:{re.escape(sign)}[0-9]+)?(?:[eE][+-]?[0-9]+)?"
    if isinstance(dtype, dt.Decimal) and dtype.scale:
        return f"(?:{re.escape(sign)}[0-9]{{1,{dtype.scale}}})?"
    return ""


def _moment(text: str, form: str, to: str) -> str:
    value = f"try_cast({text} AS {to})" if form in ISO else f"CAST(try_strptime({text}, {literal(form)}) AS {to})"
    return _guarded(text, strptime_pattern(form), value)


def strptime_pattern(form: str) -> str:
    """A pattern for exactly the texts written in a strptime format, every field with all its digits."""
    pieces = re.split(r"%(.)", form)
    return "".join(DIRECTIVES[piece] if i % 2 else re.escape(piece) for i, piece in enumerate(pieces))


def _guarded(text: str, pattern: str, value: str) -> str:
    return f"CASE WHEN regexp_full_match({text}, {literal(pattern)}) THEN {value} END"
