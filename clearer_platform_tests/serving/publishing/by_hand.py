"""Gold made by hand, with a column of every type: publishing is tested without dbt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow as pa
from hypothesis import strategies as st

from clearer_platform.gold import Model
from clearer_platform.serving.publishing.publication import Part
from clearer_platform.serving.publishing.reading import Gold
from clearer_platform.serving.publishing.tables import Table, table_of
from clearer_platform.silver.sql import identifier

Row = Mapping[str, Any]
Layer = Literal["gold", "global"]
KINDS = {
    "region": ("varchar", pa.string()),
    "id": ("varchar", pa.string()),
    "note": ("varchar", pa.string()),
    "amount": ("decimal(18,2)", pa.decimal128(18, 2)),
    "wide": ("decimal(38,10)", pa.decimal128(38, 10)),
    "n": ("bigint", pa.int64()),
    "small": ("smallint", pa.int16()),
    "ratio": ("double", pa.float64()),
    "flag": ("boolean", pa.bool_()),
    "day": ("date", pa.date32()),
    "at": ("timestamptz", pa.timestamp("us", "UTC")),
    "local": ("timestamp", pa.timestamp("us")),
    "who": ("uuid", pa.string()),
    "tags": ("varchar[]", pa.list_(pa.string())),
}
NEVER_NULL = frozenset({"region", "id"})


def every_kind(
    name: str = "every_kind", key: Sequence[str] = ("region", "id"), layer: Layer = "gold", **changed: str | None
) -> Table:
    """A table with a column of every type; `changed` are columns of another type, further ones, or (None) gone ones."""
    types = {**{name: kind for name, (kind, _) in KINDS.items()}, **changed}
    columns = tuple((name, kind, f"What {name} says.") for name, kind in types.items() if kind)
    return table_of(model(name, columns, key, layer))


def model(
    name: str, columns: tuple[tuple[str, str, str], ...], key: Sequence[str] = (), layer: Layer = "gold"
) -> Model:
    """A model of gold that may leave its region, or one that is built across regions and is not called so there."""
    return Model(
        name=name,
        alias=name if layer == "gold" else f"{name}_of_all",
        layer=layer,
        description=f"About {name}.",
        columns=columns,
        depends_on_models=(),
        depends_on_tables=(),
        day_column=None,
        leaves="aggregates" if layer == "gold" else None,
        tests=(),
        meta={},
        as_of=False,
        part=frozenset(),
        materialized="table",
        path=f"models/{name}.sql",
        key=tuple(key),
        not_null=NEVER_NULL,
    )


@dataclass
class ByHand:
    """The gold of one region, or (None) across regions, in a database of its own, to be changed at will."""

    region: str | None = "eu"
    work: Path = Path()
    connection: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)

    def __post_init__(self) -> None:
        self.connection.execute(
            "SET TimeZone = 'UTC'; CREATE SCHEMA IF NOT EXISTS gold; CREATE SCHEMA IF NOT EXISTS \"global\""
        )

    def part(self, table: Table, rows: Sequence[Row], mode: str = "replace") -> Part:
        """`rows` as what gold says of `table`; what they leave out is null, and the region is ours, or eu."""
        schema = pa.schema([(name, kind) for name, (_, kind) in KINDS.items()])
        given = pa.Table.from_pylist([{"region": self.region or "eu", **row} for row in rows], schema)
        self.connection.register("given", given)
        place = ".".join(map(identifier, table.relation))
        self.connection.execute(f"CREATE OR REPLACE TABLE {place} AS SELECT * REPLACE (who::UUID AS who) FROM given")
        return self.of(table, mode)

    def of(self, table: Table, mode: str = "replace") -> Part:
        """What stands in gold of `table`."""
        gold = Gold(self.region, self.connection, self.work, "x")
        return Part(table, gold, gold.figures(table), gold.content(table, mode))


CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.sampled_from(
    ["", "NULL", "\\N", "\\.", 'a"b', "a,b", "a\nb", "a\r\n\\.\r\nb", "Ж€ 東京 🧾", " a ", "A", "a"]
)
TEXTS |= st.text(CHARACTERS, max_size=8)


def decimals(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    """Decimals of so many digits."""
    most = 10**digits - 1
    return st.integers(-most, most).map(lambda number: Decimal(f"{number}E-{places}"))


ROW = st.fixed_dictionaries(
    {
        "id": TEXTS,
        "note": st.none() | TEXTS,
        "amount": st.none() | decimals(18, 2),
        "wide": st.none() | decimals(36, 10),
        "n": st.none() | st.integers(-(2**63), 2**63 - 1),
        "small": st.none() | st.integers(-(2**15), 2**15 - 1),
        "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
        "flag": st.none() | st.booleans(),
        "day": st.none() | st.dates(date(1, 1, 1), date(9999, 12, 31)),
        "at": st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
        "local": st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
        "who": st.none() | st.uuids().map(str),
        "tags": st.none() | st.lists(st.none() | TEXTS, max_size=2),
    }
)
STATES = st.lists(st.lists(ROW, max_size=6, unique_by=lambda row: row["id"]), min_size=1, max_size=4)
"""What gold says at one time after another."""


def silent(target: str, table: str, done: int, total: int) -> None:
    """Progress where nobody looks."""
