"""A series: the batches that were sealed into one delivery, and which of its lines are whose.

The content of such a delivery is the batches' records one after the other, without header lines, as UTF-8. The manifest
says what else is needed to judge each batch as it was judged when it came.
"""

from bisect import bisect_right
from enum import StrEnum
from itertools import accumulate

from pydantic import AwareDatetime, BaseModel, ConfigDict


class OnInvalid(StrEnum):
    """What an invalid row does to its batch."""

    REJECT_ROWS = "reject_rows"
    """Invalid rows are rejected, the valid ones are written."""
    REJECT_BATCH = "reject_batch"
    """Nothing of the batch is written."""


class Decision(StrEnum):
    """What became of a batch when it came."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Part(BaseModel):
    """Which part a batch is of a file that was sent through."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    """What tells this state of the file from another without reading it."""
    sha256: str
    """Of the whole file."""
    first: int
    """Records of the file before those of the batch."""
    is_last: bool
    """Whether nothing of the file comes after it."""


class SealedBatch(BaseModel):
    """One batch of a series."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    received_at: AwareDatetime
    rows: int
    valid: int
    lines: int
    """Physical lines of the delivery that are its own, one batch after the other."""
    on_invalid: OnInvalid
    decision: Decision
    key_hash: str | None = None
    """SHA-256 of its idempotency key."""
    content_hash: str
    """SHA-256 of all that another request with this key must have in common with it."""
    client: str
    origin: str | None = None
    part: Part | None = None


class Series(BaseModel):
    """The batches of a delivery, in the order in which they came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...] = ()
    """Delimited text: the contract's column of each field. (JSON names them in every record.)"""
    batches: tuple[SealedBatch, ...]

    @property
    def ends(self) -> list[int]:
        """The last line of each batch; lines are counted from 1."""
        return list(accumulate(batch.lines for batch in self.batches))

    def batch_of(self, line: int) -> SealedBatch:
        """The batch to which the record on a line of the delivery belongs. Raises IndexError past its end."""
        return self.batches[bisect_right(self.ends, line - 1)]
