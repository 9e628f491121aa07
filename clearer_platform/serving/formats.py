"""The formats in which a table can be given out."""

from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from clearer_platform.errors import ClearerError


class Format(StrEnum):
    """How a table is written."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def format_of(path: Path) -> Format:
    """The format that a file's name ends in. Raises ClearerError."""
    try:
        return Format(path.suffix.removeprefix(".").lower())
    except ValueError:
        listed = ", ".join(Format)
        raise ClearerError(
            f"the name of {path} ends in no known format", hint=f"name one with --format: {listed}"
        ) from None


def in_full(value: object) -> object:
    """A decimal as text with all its digits (`0.0000000000`, which Python writes as `0E-10`); else the value itself."""
    return f"{value:f}" if isinstance(value, Decimal) else value
