"""What a batch is, what is recorded of it, and what is wrong with one that cannot be taken at all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from clearer_platform.bronze import Decision, OnInvalid, Part
from clearer_platform.errors import ClearerError


class Form(StrEnum):
    """How a batch is written."""

    JSON = "json"
    """An array of objects, whose keys are the contract's column names."""
    CSV = "csv"
    """Records as in the region's files, but always UTF-8."""


def kind_of(form: Form, columns: Sequence[str]) -> str:
    """What batches must have in common to be sealed into one delivery."""
    return json.dumps([form, *columns])


class Status(StrEnum):
    """How far a batch has come; found in manifests, silver and the warehouse, and stored nowhere else."""

    RECEIVED = "received"
    """It is durable in the spool."""
    SEALED = "sealed"
    """It is part of a delivery."""
    VALIDATED = "validated"
    """Its delivery is published in silver."""
    PUBLISHED = "published"
    """The region's served gold was built from it."""


@dataclass(frozen=True)
class Batch:
    """Rows that somebody sends, with what is to become of them."""

    content: bytes
    form: Form | Literal["json", "csv"] = Form.JSON
    header: bool = False
    """CSV: whether the first record names the columns, as the region's files call them. It is never guessed."""
    on_invalid: OnInvalid | Literal["reject_rows", "reject_batch"] = OnInvalid.REJECT_ROWS
    idempotency_key: str | None = None
    """A batch with a key that the table has had already is answered as that one was, and not written again."""
    client: str = "unknown"
    """Who sends it, as the log calls it."""
    origin: str | None = None
    """The file or object that the rows come from: logs are written beside it. Never a name that a client chose."""
    part: Part | None = None
    """Which part of its origin it is."""
    lines: Sequence[int] | None = None
    """The line of its origin on which each row begins; by default its own lines are told."""


class InvalidRow(BaseModel):
    """One broken rule of one row; never its value."""

    model_config = ConfigDict(frozen=True)

    row: int
    """Number of the row in its batch, from 1."""
    line: int
    """Line on which it begins: of the file that the batch is a part of; else of its CSV text (a header line counts),
    or of JSON its row number."""
    column: str | None = None
    rule: str
    message: str


class BatchRecord(BaseModel):
    """The log of one batch."""

    model_config = ConfigDict(frozen=True)

    id: str
    region: str
    table: str
    day: date
    """Day of receipt in the region's zone: the business day of its delivery."""
    received_at: AwareDatetime
    form: Form
    on_invalid: OnInvalid
    decision: Decision
    rows: int
    valid: int
    """Rows that broke no rule."""
    invalid: int
    invalid_rows: tuple[InvalidRow, ...] = ()
    """What the invalid rows broke, a row more than once where it broke more; empty where the spool was lost since."""
    status: Status = Status.RECEIVED
    delivery: str | None = None
    """Slot of the delivery that it was sealed into."""
    key_hash: str | None = Field(default=None, description="SHA-256 of the idempotency key.")
    client: str
    origin: str | None = None
    part: Part | None = None

    @property
    def written(self) -> int:
        """Rows that go on to gold: the valid ones of an accepted batch."""
        return self.valid if self.decision is Decision.ACCEPTED else 0


class Summary(BaseModel):
    """What all batches (of a region, a table, or an origin) came to."""

    model_config = ConfigDict(frozen=True)

    region: str
    table: str | None = None
    batches: int = 0
    accepted: int = 0
    """Batches."""
    rejected: int = 0
    """Batches."""
    rows: int = 0
    valid: int = 0
    invalid: int = 0
    written: int = 0
    """Rows that go on to gold."""
    rules: dict[str, int] = {}
    """How many rows broke each rule."""
    statuses: dict[Status, int] = {}
    """Batches by how far they have come."""


@dataclass(frozen=True)
class Taken:
    """What taking a batch came to."""

    record: BatchRecord
    is_new: bool
    """False where its idempotency key was known: the record is that of the batch which came with it first."""


class BatchError(ClearerError):
    """A batch that is refused as a whole: nothing of it was written."""


class EmptyBatch(BatchError):
    """It has no row."""


class TooManyRows(BatchError):
    """It has more rows than a batch may have."""


class UnknownColumn(BatchError):
    """It has a column that its contract does not know, or lacks a column altogether that every row needs."""


class MalformedBatch(BatchError):
    """It is not the JSON or CSV that it is said to be."""


class KeyReused(BatchError):
    """Its idempotency key came with another batch before."""


class UnknownBatch(BatchError):
    """No batch of the region has this id."""
