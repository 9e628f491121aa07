"""Taking batches: judged like any delivery, made durable, and followed from receipt to gold. What REST and CLI call."""

from collections.abc import Callable
from datetime import UTC, datetime

from clearer_platform.platform import Platform
from clearer_platform.sources.batches import Batch, BatchRecord, Status, Summary, Taken


def take(
    platform: Platform,
    region: str,
    table: str,
    batch: Batch,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Taken:
    """Judge a batch and make it durable; it is on the disk when this returns.

    An idempotency key that the table has had already gives the first answer, and nothing is written. Raises
    UnknownName for a region, or a table that it does not deliver, and a BatchError (EmptyBatch, TooManyRows,
    UnknownColumn, MalformedBatch, KeyReused) for a batch that is refused as a whole: then nothing was written.
    """
    raise NotImplementedError


def find(platform: Platform, region: str, batch_id: str) -> BatchRecord:
    """The log of one batch, and how far it has come. Raises UnknownBatch."""
    raise NotImplementedError


def listed(
    platform: Platform,
    region: str,
    *,
    table: str | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[BatchRecord]:
    """At most `limit` batches in the order in which they came, those after the batch `after` alone."""
    raise NotImplementedError


def summary(platform: Platform, region: str, *, table: str | None = None, origin: str | None = None) -> Summary:
    """What all batches of a region came to, or those for one table, or from one file."""
    raise NotImplementedError
