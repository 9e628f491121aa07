"""Buckets of keys: which rows of a table may differ from those that a target was last given.

A digest of each bucket is recorded with a publication. The next one looks only at buckets whose digest is another. How
a key falls into its bucket is said in SQL that DuckDB and PostgreSQL understand alike.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from clearer_platform.serving.publishing.tables import Column, Table
from clearer_platform.silver.sql import identifier

MOST = 1 << 16
"""Buckets of a part of a table, at most: what is recorded stays within a few megabytes."""
ROWS = 16
"""Rows of a bucket, at least, where keys follow one another; the fewer, the less is compared in vain."""
WHOLE = ("smallint", "integer", "bigint")


@dataclass(frozen=True)
class Division:
    """How keys fall into buckets, by one of their columns: a day, a whole number or a text."""

    column: str
    kind: str
    """`day`, `number` or `text`."""
    width: int
    """Bits that a day or number loses; hexadecimal digits of a text's MD5."""

    @property
    def type(self) -> str:
        """The type of a bucket's name."""
        return "text" if self.kind == "text" else "bigint"

    def bucket(self, text: str) -> str:
        """The name of a row's bucket, as SQL; `text` is how its column is written as bytes or text for MD5."""
        name = identifier(self.column)
        if self.kind == "text":
            return f"left(md5({text.format(name)}), {self.width})"
        if self.kind == "day":
            name = f"CASE WHEN isfinite({name}) THEN {name} - DATE '1970-01-01' ELSE 0 END"
        return f"CAST({name} AS bigint) >> {self.width}"


@dataclass(frozen=True)
class Buckets:
    """What a part of a table holds, bucket by bucket."""

    division: Division
    digests: Mapping[str, str]
    """Bucket -> digest of its rows, whatever their order."""

    def differing(self, recorded: "Buckets | None") -> list[str] | None:
        """The buckets whose rows are not those that are recorded; None where any may differ."""
        if recorded is None or recorded.division != self.division:
            return None
        before, now = recorded.digests, self.digests
        return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))

    def to_json(self) -> str:
        """As it is recorded."""
        return json.dumps({"division": asdict(self.division), "digests": self.digests}, separators=(",", ":"))


def from_json(text: str | None) -> Buckets | None:
    """What is recorded, if anything is."""
    if not text:
        return None
    said = json.loads(text)
    return Buckets(Division(**said["division"]), said["digests"])


def column_of(table: Table) -> Column | None:
    """The column of the key by which rows are told apart: what changes together has one day, or numbers near by."""
    columns = {column.name: column for column in table.columns}
    keys = [columns[name] for name in table.key if name != table.part_column]
    for kinds in (("date",), WHOLE, ("text", "uuid")):
        if fitting := [column for column in keys if column.kind in kinds]:
            return fitting[-1]
    return None


def division(column: Column, rows: int, least: int, most: int) -> Division:
    """How `rows` rows are divided whose days or numbers, if they are any, are `least` to `most`."""
    if column.kind in ("text", "uuid"):
        digits = next(n for n in range(1, 17) if 16**n >= min(MOST, rows // ROWS))
        return Division(column.name, "text", digits)
    kind, bits = ("day", 0) if column.kind == "date" else ("number", ROWS.bit_length() - 1)
    while (most >> bits) - (least >> bits) >= MOST:
        bits += 1
    return Division(column.name, kind, bits)
