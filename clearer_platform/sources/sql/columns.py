"""The columns of a table on a server: what kinds there are, and whether they are what the contract needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy.types import TypeEngine

from clearer_platform.contracts import Contract
from clearer_platform.errors import DeliveryError
from clearer_platform.regions import TableSource


class Kind(StrEnum):
    """How a column's values are written."""

    NUMBER = "number"
    INSTANT = "instant"
    """A time that the server knows in UTC."""
    LOCAL = "local"
    """A time on a clock on the wall: that of the table's zone in the registry."""
    BARE = "bare"
    """What else needs no quotes: days, truth, binary data as hexadecimal digits."""
    TEXT = "text"


@dataclass(frozen=True)
class Column:
    """One column of a server's table."""

    name: str
    kind: Kind
    sql_type: TypeEngine[Any]
    """What the server says of its type."""

    @property
    def is_watermark(self) -> bool:
        """Whether its values can say how far a table was read."""
        return self.kind in (Kind.NUMBER, Kind.INSTANT, Kind.LOCAL)


def check(columns: Sequence[Column], contract: Contract, source: TableSource, watermark: str | None) -> None:
    """Raise DeliveryError where the server's table lacks a column that the contract or the registry needs."""
    known = {column.name: column for column in columns}
    needed = [source.columns.get(c.name, c.name) for c in contract.columns if c.required]
    if missing := [name for name in needed if name not in known]:
        raise DeliveryError(
            f"the table has no column {', '.join(map(repr, missing))}; it has {', '.join(known)}",
            hint=f"name it in regions.{source.region}.tables.{contract.name}.columns if it is called otherwise",
        )
    if watermark is None:
        return
    if watermark not in known:
        raise DeliveryError(
            f"the table has no column {watermark!r} to be read by; it has {', '.join(known)}",
            hint=f"mend watermark in regions.{source.region}.tables.{contract.name}.sql",
        )
    if not known[watermark].is_watermark:
        raise DeliveryError(
            f"{watermark!r} is of type {known[watermark].sql_type}, and a watermark is a number or a time",
            hint="leave watermark out: then all rows are compared each time",
        )
