"""Tables that have a column of every type that a contract can name, one a load mode, and random rows of them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa
from hypothesis import strategies as st

from clearer_platform.contracts import Contract, LoadMode, Personal

EVERY = "every_kind"
REGISTRY = """
[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
start = 2024-03-01
fold = "reject"
[regions.eu.csv]
encoding = "cp1252"
delimiter = ";"
quote = "'"
decimal = ","
thousands = "."
date = "%d.%m.%y"
datetime = "%d.%m.%y %H:%M"
nulls = ["", "NULL", "x"]
true = ["ja"]
false = ["nein"]
[regions.eu.tables.every_kind]
columns = { note = "Bemerkung", amount = "Betrag" }
[regions.eu.tables.latest]
[regions.eu.tables.facts]
[regions.eu.tables.pictures]
[regions.us]
timezone = "America/New_York"
currency = "USD"
root = "us"
[regions.us.tables.every_kind]
"""
"""What eu writes can hold none of these values exactly: a backup does not pass through its format."""


class EveryKind(pa.DataFrameModel):
    """A column of every type."""

    key: str = pa.Field(description="The key.", metadata={"personal": Personal.IDENTIFIER})
    note: str = pa.Field(nullable=True, description="Any text.", metadata={"personal": Personal.DIRECT})
    amount: Annotated[dt.Decimal, 18, 2, True] = pa.Field(nullable=True, description="Money.")
    wide: Annotated[dt.Decimal, 38, 10, True] = pa.Field(nullable=True, description="As many digits as there are.")
    whole: Annotated[dt.Decimal, 38, 0, True] = pa.Field(nullable=True, description="No decimals.")
    at: Annotated[dt.Timestamp, "UTC", None, True] = pa.Field(description="An instant.")
    local: Annotated[dt.Timestamp, None, None, True] = pa.Field(nullable=True, description="A time without a zone.")
    day: dt.Date = pa.Field(nullable=True, description="A day.")
    tiny: dt.Int8 = pa.Field(nullable=True, description="8 bits.")
    small: dt.Int16 = pa.Field(nullable=True, description="16 bits.")
    medium: dt.Int32 = pa.Field(nullable=True, description="32 bits.")
    large: dt.Int64 = pa.Field(nullable=True, description="64 bits.")
    ratio: dt.Float64 = pa.Field(nullable=True, description="A float.")
    flag: bool = pa.Field(nullable=True, description="Yes or no.")
    rarely: Optional[str] = pa.Field(description="A column that most deliveries lack.")
    is_deleted: Optional[bool] = pa.Field(nullable=True, description="Deletes.", metadata={"default": "false"})


class Rows(pa.DataFrameModel):
    """A key and a value."""

    key: str = pa.Field(description="The key.")
    value: dt.Int64 = pa.Field(description="A value.")
    version: dt.Int64 = pa.Field(nullable=True, description="The highest makes a row the latest, where that decides.")


CONTRACTS = (
    Contract(name=EVERY, domain="kinds", model=EveryKind, key=("key",), event_time="at", tombstone="is_deleted"),
    Contract(name="latest", domain="kinds", model=Rows, key=("key",), ordering=("version",)),
    Contract(name="facts", domain="kinds", model=Rows, key=("key",), load_mode=LoadMode.APPEND),
    Contract(name="pictures", domain="kinds", model=Rows, key=("key",), load_mode=LoadMode.FULL),
)

CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.one_of(
    st.sampled_from(
        ["", "NULL", "x", "null", '"', "'", ";", "a\nb", "a\r\nb", "\r", "\\", '\\"', "Ж€ 東京 🧾", " a ", "\\N"]
    ),
    st.text(CHARACTERS, max_size=12),
)
FIRST, LAST = datetime(1, 1, 2), datetime(9999, 12, 30, 23, 59, 59, 999999)


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    """Every decimal of so many digits."""
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: Decimal(f"{number}E-{places}") if places else Decimal(number))


def integers(bits: int) -> st.SearchStrategy[int]:
    """Every integer of so many bits."""
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


ROW: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "key": TEXTS,
        "note": st.none() | TEXTS,
        "amount": st.none() | decimals(18, 2),
        "wide": st.none() | decimals(38, 10),
        "whole": st.none() | decimals(38, 0),
        "at": st.datetimes(FIRST, LAST, timezones=st.just(UTC)),
        "local": st.none() | st.datetimes(FIRST, LAST),
        "day": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
        "tiny": st.none() | integers(8),
        "small": st.none() | integers(16),
        "medium": st.none() | integers(32),
        "large": st.none() | integers(64),
        "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "flag": st.none() | st.booleans(),
        "rarely": st.none(),
        "is_deleted": st.just(False),
    }
)
TABLES = st.lists(ROW, max_size=25, unique_by=lambda row: row["key"])
