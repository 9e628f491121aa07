"""How a region writes its tables: the formats of delimited text, and all that decides how one table is read."""

import hashlib
import json
import re
from collections.abc import Collection
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

DIRECTIVES = "YymdHMSfbBpI"
DATE_PARTS = {"year": "Yy", "month": "mbB", "day": "d"}
"""What a date cannot be read without, and the directives for each: the engine would take 1900, January or the first."""
LINE_ENDS = "\r\n"
TRUE, FALSE = ("1", "t", "true"), ("0", "f", "false")
"""How database servers write truth."""


class Entry(BaseModel):
    """What a block of the registry says; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CsvFormat(Entry):
    """How a region writes its delimited files."""

    encoding: str = Field(default="utf-8", description="A Python codec; a byte-order mark is always taken off.")
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    header: bool = Field(default=True, description="False: no header line; the columns come in the contract's order.")
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'", "\u00a0", "\u202f"] = ""
    date: str = Field(default="%Y-%m-%d", description="strptime format of dates.")
    datetime: str = Field(default="%Y-%m-%d %H:%M:%S", description="strptime format of instants.")
    nulls: tuple[str, ...] = Field(default=("",), description="Texts that mean 'no value'.")
    true: tuple[str, ...] = ("true", "True", "TRUE", "1")
    false: tuple[str, ...] = ("false", "False", "FALSE", "0")

    @field_validator("encoding")
    @classmethod
    def _codec(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError as e:
            raise ValueError(f"unknown encoding {name!r}; use a Python codec such as utf-8, cp1252 or shift_jis") from e
        return name

    @field_validator("date", "datetime")
    @classmethod
    def _format(cls, text: str) -> str:
        used = re.findall(r"%(.?)", text)
        if not used or set(used) - set(DIRECTIVES):
            raise ValueError(f"{text!r}: use strptime directives out of {' '.join('%' + d for d in DIRECTIVES)}")
        if lacking := [part for part, directives in DATE_PARTS.items() if not set(directives) & set(used)]:
            raise ValueError(f"{text!r} has no {' and no '.join(lacking)}")
        if "I" in used and "p" not in used:
            raise ValueError(f"{text!r}: %I goes to 12, and needs a %p for the half of the day")
        return text

    @model_validator(mode="after")
    def _signs_differ(self) -> "CsvFormat":
        if self.thousands and self.thousands == self.decimal:
            raise ValueError("the decimal and the thousands sign are the same")
        if self.delimiter == self.quote:
            raise ValueError("the delimiter and the quote are the same")
        if {self.delimiter, self.quote} & set(LINE_ENDS):
            raise ValueError("a line's end can be neither the delimiter nor the quote")
        if both := sorted(set(self.true) & set(self.false)):
            raise ValueError(f"{both[0]!r} means true as well as false; name both lists, `true` and `false`")
        return self


class TableSource(Entry):
    """Everything of the registry that decides how one table of one region is read; the contract decides the rest."""

    region: str
    table: str
    timezone: str
    fold: Literal["earlier", "later", "reject"]
    gap: Literal["forward", "reject"]
    csv: CsvFormat
    columns: dict[str, str]
    nested: dict[str, dict[str, str]] = Field(default_factory=dict)
    day_zone: str | None = None
    """The zone whose calendar days count, where it is not that of the local times."""
    utc: tuple[str, ...] | None = None
    """Columns whose times are written in UTC, whatever the zone of the others."""
    nulls: tuple[str, ...] | None = None
    """Values of a database server that mean none."""
    is_exact: Literal[True] | None = None
    """Whether a line feed alone ends a line, and a carriage return is part of a value."""

    @property
    def own_form(self) -> "TableSource":
        """How the platform itself writes the table's rows: by the contract's names, in ISO formats and UTC.

        No text means null. The arrays of nested tables are the delivered texts, and are read as ever.
        """
        csv = CsvFormat(datetime="%Y-%m-%dT%H:%M:%S.%f", nulls=(), true=("true",), false=("false",))
        change = {"timezone": "UTC", "day_zone": self.day_zone or self.timezone, "csv": csv, "columns": {}}
        return self.model_copy(update=change)

    def extracted(self, null: str, utc: Collection[str]) -> "TableSource":
        """How a reading of a database server is written, which calls these columns' times UTC and no value `null`."""
        csv = CsvFormat(datetime="%Y-%m-%d %H:%M:%S.%f", nulls=(null, *(self.nulls or ())), true=TRUE, false=FALSE)
        ours = {header: column for column, header in self.columns.items()}
        change = {"csv": csv, "utc": tuple(sorted(ours.get(name, name) for name in utc)), "is_exact": True}
        return self.model_copy(update=change)

    def of_column(self, name: str) -> "TableSource":
        """How one column is read: its times may be in UTC where the others are not. Days are the table's own."""
        if not self.utc or name not in self.utc:
            return self
        return self.model_copy(update={"timezone": "UTC", "day_zone": self.day_zone or self.timezone})

    def of_nested(self, table: str) -> "TableSource":
        """How the elements of a nested table are read: JSON has signs and words of its own, but no dates."""
        csv = CsvFormat(date=self.csv.date, datetime=self.csv.datetime, nulls=(), true=("true",), false=("false",))
        return TableSource(
            region=self.region,
            table=table,
            timezone=self.timezone,
            fold=self.fold,
            gap=self.gap,
            csv=csv,
            columns=self.nested.get(table, {}),
        )

    @cached_property
    def batch_form(self) -> "TableSource":
        """How sealed batches are read: always UTF-8, without header lines, and by the contract's own column names."""
        csv = self.csv.model_copy(update={"encoding": "utf-8", "header": False})
        return self.model_copy(update={"csv": csv, "columns": {}})

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest that changes exactly when something above does."""
        return hashlib.sha256(json.dumps(self.model_dump(exclude_none=True), sort_keys=True).encode()).hexdigest()
