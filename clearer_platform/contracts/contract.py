"""What a contract is: a pandera model, and the few facts about a table that a model has no place for.

From a contract come the validation, the assets and checks, the column schemas and the dictionary; no I/O happens here.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import CodeType

import ibis.expr.datatypes as dt

# Registers the built-in checks with the Ibis backend; it must be imported before a schema is made.
import pandera.backends.ibis.builtin_checks  # noqa: F401
import pandera.ibis as pa
from pandera.api.checks import Check

from clearer_platform.errors import ContractError


class LoadMode(StrEnum):
    """How repeated keys are resolved across deliveries."""

    APPEND = "append"
    """Facts: the first row of a key stands, a later one is rejected (in a delivery) or ignored (across deliveries)."""
    UPSERT = "upsert"
    """The latest row of a key wins."""
    FULL = "full"
    """Each delivery replaces the whole picture."""


class Personal(StrEnum):
    """What kind of personal data a column holds."""

    IDENTIFIER = "identifier"
    """Names a person by an id: leaves its region only as a pseudonym."""
    DIRECT = "direct"
    """Says who or what a person is (name, address, message): never leaves its region."""


class Drift(StrEnum):
    """What becomes of columns that the contract does not know."""

    KEEP = "keep"
    """They are kept beside the row and warned about."""
    REFUSE = "refuse"
    """The delivery is refused."""


@dataclass(frozen=True)
class Column:
    """One column of a contract."""

    name: str
    dtype: dt.DataType
    nullable: bool
    required: bool
    """Whether a delivery must have the column at all."""
    description: str
    personal: Personal | None
    default: str | None
    """SQL literal for an optional column that a delivery lacks."""
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Reference:
    """`columns` are expected to appear as the key of `table`. A missing parent never rejects a row."""

    columns: tuple[str, ...]
    table: str
    waits: bool = False
    """Whether a row waits for its parent: while no current row of `table` has the key, gold holds it back as pending.

    A parent that is itself held back is not there. A row without a value in one of the columns names no parent.
    """

    @property
    def name(self) -> str:
        """What it is called in messages and tables: `departments (department_id)`."""
        return f"{self.table} ({', '.join(self.columns)})"


@dataclass(frozen=True)
class Nested:
    """The table is not delivered by itself: its rows are the elements of a JSON array in a column of another table.

    A row carries the key of the record that it stood in, and its `position` in the array, from 1.
    """

    parent: str
    """The delivered table."""
    column: str
    """Its column that holds the array, as text."""


@dataclass(frozen=True)
class Spans:
    """Of the rows that agree in `within`, no two may share a day, but for that on which one ends and the next begins.

    Days are the source's local ones. A span without an end goes on for ever. In the order of first day, last day and
    key, each row is held against the accepted ones before it; the one that comes later is rejected.
    """

    within: tuple[str, ...]
    start: str
    end: str


POSITION = "position"
"""The column of a nested table that numbers the elements of an array, from 1."""


@dataclass(frozen=True)
class Contract:
    """A delivered table: what its rows must look like and how its deliveries combine."""

    name: str
    domain: str
    model: type[pa.DataFrameModel]
    key: tuple[str, ...]
    load_mode: LoadMode = LoadMode.UPSERT
    ordering: tuple[str, ...] = ()
    """Columns, most significant first, whose highest value makes a row of a key the latest."""
    event_time: str | None = None
    """The instant or date that says on which day a row counts."""
    tombstone: str | None = None
    """A boolean column that, where true, deletes the key; such a row needs no more than its key."""
    references: tuple[Reference, ...] = ()
    max_rejected: float = 0.2
    """Share of a delivery's records above which it is refused as a whole."""
    drift: Drift = Drift.KEEP
    shared: bool = False
    """One region delivers it for all; it holds no personal data and is read from the global root."""
    nested: Nested | None = None
    """Where its rows stand, where they are elements of another table's records."""
    spans: Spans | None = None
    """What its rows cover without overlapping."""
    owners: tuple[str, ...] = ("team:data-platform",)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = {column.name for column in self.columns}
        named = {*self.key, *self.ordering, *filter(None, (self.event_time, self.tombstone))}
        named |= {name for reference in self.references for name in reference.columns}
        named |= {*self.spans.within, self.spans.start, self.spans.end} if self.spans else set()
        if unknown := sorted(named - names):
            raise ContractError(f"contract {self.name}: no such column: {', '.join(unknown)}")
        if not self.key:
            raise ContractError(f"contract {self.name}: a contract needs a key")
        if undocumented := sorted(c.name for c in self.columns if not c.description):
            raise ContractError(f"contract {self.name}: columns without a description: {', '.join(undocumented)}")
        if optional := sorted(c.name for c in self.columns if c.name in self.key and (c.nullable or not c.required)):
            raise ContractError(f"contract {self.name}: a key column may not be optional: {', '.join(optional)}")
        if unique := sorted(name for name, column in self.schema.columns.items() if column.unique):
            raise ContractError(
                f"contract {self.name}: unique=True is not judged row by row: {', '.join(unique)}",
                hint="make the columns the contract's key, or write a dbt test",
            )
        if self.nested and (self.key[-1] != POSITION or self.shared or self.tombstone):
            raise ContractError(
                f"contract {self.name}: the key of a nested table is its parent's key and then {POSITION!r}",
                hint="it is neither shared nor deleted by tombstones: both are its parent's affair",
            )
        if self.shared and any(column.personal for column in self.columns):
            raise ContractError(f"contract {self.name}: a shared table may not hold personal data")

    @property
    def awaited(self) -> tuple[Reference, ...]:
        """The references whose parents its rows wait for."""
        return tuple(reference for reference in self.references if reference.waits)

    @property
    def description(self) -> str:
        """What the table is, from the model's docstring."""
        return (self.model.__doc__ or "").strip()

    @cached_property
    def schema(self) -> pa.DataFrameSchema:
        """The pandera schema (Ibis backend)."""
        return self.model.to_schema()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the model's order."""
        return tuple(_column(name, column) for name, column in self.schema.columns.items())

    @cached_property
    def row_checks(self) -> tuple[Check, ...]:
        """The checks that look at several columns of a row."""
        return tuple(self.schema.checks)

    def column(self, name: str) -> Column:
        """The column called `name`. Raises KeyError."""
        return {column.name: column for column in self.columns}[name]

    def personal(self, kind: Personal | None = None) -> tuple[str, ...]:
        """Names of the columns that hold personal data (of one kind)."""
        return tuple(c.name for c in self.columns if c.personal and kind in (None, c.personal))

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest that changes when anything that decides about a row does (descriptions and owners do not)."""
        decisive = {
            "name": self.name,
            "key": self.key,
            "load_mode": self.load_mode,
            "ordering": self.ordering,
            "event_time": self.event_time,
            "tombstone": self.tombstone,
            "max_rejected": self.max_rejected,
            "drift": self.drift,
            "nested": self.nested and [self.nested.parent, self.nested.column],
            "spans": self.spans and [self.spans.within, self.spans.start, self.spans.end],
            "columns": [
                [c.name, str(c.dtype), c.nullable, c.required, c.default, [_statistics(k) for k in c.checks]]
                for c in self.columns
            ],
            "row_checks": [_statistics(check) for check in self.row_checks],
            "by_hand": _rules_by_hand(self.model),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()


def _column(name: str, column: pa.Column) -> Column:
    metadata = column.metadata or {}
    return Column(
        name=name,
        dtype=column.dtype.type,
        nullable=column.nullable,
        required=column.required,
        description=column.description or "",
        personal=Personal(metadata["personal"]) if "personal" in metadata else None,
        default=metadata.get("default"),
        checks=tuple(column.checks),
    )


def _statistics(check: Check) -> list[object]:
    stated = check.statistics or {}
    ordered = {k: sorted(v, key=str) if isinstance(v, set | frozenset) else v for k, v in stated.items()}
    return [check.name, ordered, bool(check.raise_warning)]


def _rules_by_hand(model: type[pa.DataFrameModel]) -> dict[str, list[object]]:
    """What a model's own check methods compute, as byte code, so that a mended rule counts as another one."""
    methods = inspect.getmembers(model, inspect.ismethod)
    return {name: _code(m.__func__) for name, m in methods if not m.__func__.__module__.startswith("pandera")}


def _code(function: Callable[..., object]) -> list[object]:
    """A function's byte code, defaults and captured values; of nested functions too, but not its docstring."""
    captured = [cell.cell_contents for cell in function.__closure__ or ()]
    return [*_instructions(function.__code__, function.__doc__), repr(function.__defaults__), repr(captured)]


def _instructions(code: CodeType, docstring: str | None = None) -> list[object]:
    constants = [_instructions(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts if c != docstring]
    return [code.co_code.hex(), constants, repr(code.co_names)]
