"""Taking batches: judged like any delivery, made durable, and followed from receipt to gold. What REST and CLI call."""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from clearer_platform import gold, silver
from clearer_platform.bronze import Decision, OnInvalid, current
from clearer_platform.contracts import Contract, Reference
from clearer_platform.platform import Platform
from clearer_platform.silver.parents import absent
from clearer_platform.silver.screening import Sample, Screen, Screened
from clearer_platform.sources.batches import Batch, BatchRecord, Form, InvalidRow, Status, Summary, Taken, UnknownBatch
from clearer_platform.sources.batches.batch import kind_of
from clearer_platform.sources.batches.logs import summed
from clearer_platform.sources.batches.reading import read
from clearer_platform.sources.batches.spool import Key, Spool

NO_PARENT = "no_parent"
"""How the rule ends that a row breaks which may not wait for its parent."""

_screens: dict[tuple[int, str, str], tuple[Platform, Screen]] = {}
"""By the platform's identity, which is kept alive here: a table's rules are compiled once."""


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
    source, contract = platform.region(region).source(table), platform.contract(table)
    spool = Spool(platform, region, stays_open=True)
    key_hash = _hash(batch.idempotency_key.encode()) if batch.idempotency_key is not None else None
    content_hash = _content_hash(batch)
    if key_hash and (known := spool.answer(table, key_hash, content_hash)):
        return Taken(known, is_new=False)
    now, incoming = clock(), read(batch, contract, source)
    sample = Sample(
        incoming.content, Form(batch.form) is Form.JSON, incoming.columns, now, platform.region(region).today(now)
    )
    screened = _screen(platform, region, table)(sample, _columns(platform, contract))
    lines = batch.lines or [line + incoming.skipped for line in screened.lines]
    broken = _broken(screened, lines)
    if OnInvalid(batch.on_invalid) is OnInvalid.REJECT_BATCH:
        broken += _orphans(platform, region, contract, screened, lines, spool)
    record = _record(platform, region, table, batch, sample, key_hash, len(screened.lines), broken)
    keys = _keys(platform, contract, screened) if record.decision is Decision.ACCEPTED else []
    kind = kind_of(record.form, incoming.columns)
    known = spool.add(record, kind, incoming.content, content_hash, keys)
    return Taken(known or record, is_new=known is None)


def find(platform: Platform, region: str, batch_id: str) -> BatchRecord:
    """The log of one batch, and how far it has come. Raises UnknownBatch."""
    platform.region(region)
    entry = Spool(platform, region).entry(batch_id)
    if entry is None:
        raise UnknownBatch(f"region {region} has no batch of this id", hint="list them; the id is in every answer")
    return _Progress(platform, region)(entry.record)


def listed(
    platform: Platform,
    region: str,
    *,
    table: str | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[BatchRecord]:
    """At most `limit` batches in the order in which they came, those after the batch `after` alone.

    Raises UnknownBatch where no batch is called `after`.
    """
    spool, progress, found = Spool(platform, region), _Progress(platform, region), list[BatchRecord]()
    last = spool.entry(after) if after else None
    if after and last is None:
        raise UnknownBatch(f"region {region} has no batch of this id", hint="go on after an id from a listing")
    number = last.number if last else 0
    while len(found) < limit and (entries := spool.entries(table, after=number, limit=limit)):
        number = entries[-1].number
        found += [record for record in map(progress, (e.record for e in entries)) if status in (None, record.status)]
    return found[:limit]


def summary(platform: Platform, region: str, *, table: str | None = None, origin: str | None = None) -> Summary:
    """What all batches of a region came to, or those for one table, or from one file."""
    platform.region(region)
    records = [entry.record for entry in Spool(platform, region).entries(table, origin)]
    statuses = Counter(record.status for record in map(_Progress(platform, region), records))
    return summed(region, records, table).model_copy(update={"statuses": dict(statuses)})


def batch_at(platform: Platform, region: str, table: str, day: date, slot: str, line: int) -> BatchRecord:
    """The batch that brought a silver row of a sealed delivery, by the row's place. Raises UnknownBatch."""
    delivery = current(platform.layout(region), table, day, slot)
    series = delivery.manifest.series if delivery else None
    if series is None or not 0 < line <= series.ends[-1]:
        raise UnknownBatch(f"{table} {region} {day} {slot}: no batch brought line {line}")
    return find(platform, region, series.batch_of(line).id)


class _Progress:
    """Says how far batches have come; what is known of a day of a table is looked up once."""

    def __init__(self, platform: Platform, region: str) -> None:
        self._platform, self._region = platform, region
        self._silver: dict[tuple[str, date], dict[str, str]] = {}
        self._gold: dict[tuple[str, date, str], str] | None = None

    def __call__(self, record: BatchRecord) -> BatchRecord:
        """The same record with its status."""
        return record.model_copy(update={"status": self._status(record)})

    def _status(self, record: BatchRecord) -> Status:
        if record.delivery is None:
            return Status.RECEIVED
        place = (record.table, record.day)
        if place not in self._silver:
            self._silver[place] = self._published(*place)
        fingerprint = self._silver[place].get(record.delivery)
        if fingerprint is None:
            return Status.SEALED
        if self._gold is None:
            self._gold = gold.contained(self._platform, self._region)
        is_served = self._gold.get((*place, record.delivery)) == fingerprint
        return Status.PUBLISHED if is_served else Status.VALIDATED

    def _published(self, table: str, day: date) -> dict[str, str]:
        """The fingerprint of what stands in silver of each slot, where it is what was delivered last."""
        states = silver.states(self._platform, self._region, table, [day])
        return {
            state.slot.name: state.published.fingerprint
            for state in states
            if state.published and state.published.delivery == state.slot.current.id
        }


def _screen(platform: Platform, region: str, table: str) -> Screen:
    key = (id(platform), region, table)
    if key not in _screens:
        _screens[key] = platform, Screen(platform, region, table)
    return _screens[key][1]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _content_hash(batch: Batch) -> str:
    """Of all that decides what a batch is."""
    about = json.dumps([Form(batch.form), batch.header, OnInvalid(batch.on_invalid)])
    return _hash(about.encode() + b"\n" + batch.content)


def _record(
    platform: Platform,
    region: str,
    table: str,
    batch: Batch,
    sample: Sample,
    key_hash: str | None,
    rows: int,
    broken: Iterable[InvalidRow],
) -> BatchRecord:
    in_order = sorted(broken, key=lambda one: one.row)
    invalid, on_invalid = len({one.row for one in in_order}), OnInvalid(batch.on_invalid)
    is_rejected = invalid and on_invalid is OnInvalid.REJECT_BATCH
    return BatchRecord(
        id=f"{sample.received_at.astimezone(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}",
        region=region,
        table=table,
        day=sample.day,
        received_at=sample.received_at,
        form=Form(batch.form),
        on_invalid=on_invalid,
        decision=Decision.REJECTED if is_rejected else Decision.ACCEPTED,
        rows=rows,
        valid=rows - invalid,
        invalid=invalid,
        invalid_rows=tuple(in_order),
        key_hash=key_hash,
        client=batch.client,
        origin=batch.origin,
        part=batch.part,
    )


def _broken(screened: Screened, lines: Sequence[int]) -> list[InvalidRow]:
    return [
        InvalidRow(
            row=number + 1,
            line=lines[number],
            column=problem.column,
            rule=problem.rule,
            message=problem.message,
        )
        for number, problems in screened.problems.items()
        for problem in problems
    ]


def _orphans(
    platform: Platform, region: str, contract: Contract, screened: Screened, lines: Sequence[int], spool: Spool
) -> list[InvalidRow]:
    """The rows that would wait for a parent, in a batch that may not."""
    found: list[InvalidRow] = []
    for reference in contract.awaited:
        named = {number: _key(values, reference.columns) for number, values in screened.values.items()}
        gone = _absent(platform, region, reference, {key for key in named.values() if key}, spool)
        column = reference.columns[0] if len(reference.columns) == 1 else None
        found += [
            InvalidRow(
                row=number + 1,
                line=lines[number],
                column=column,
                rule=f"{column or 'record'}.{NO_PARENT}",
                message=f"no row of {reference.table} has this key yet",
            )
            for number, key in named.items()
            if key in gone
        ]
    return found


def _absent(platform: Platform, region: str, reference: Reference, keys: set[Key], spool: Spool) -> set[Key]:
    """The keys that neither a batch nor anything in silver has."""
    gone = keys - spool.brought(reference.table, keys)
    return absent(platform, region, reference.table, gone) if gone else gone


def _keys(platform: Platform, contract: Contract, screened: Screened) -> list[Key]:
    """The keys of the valid rows, where other tables' rows wait for them."""
    found = map(_key, screened.values.values(), (contract.key for _ in screened.values))
    return [key for key in found if key] if _is_parent(platform, contract) else []


def _key(values: dict[str, str | None], columns: Iterable[str]) -> Key | None:
    """The values of a key's columns; None where one is missing: then no parent is named."""
    found = tuple(values.get(column) for column in columns)
    return None if None in found else found  # type: ignore[return-value]


def _columns(platform: Platform, contract: Contract) -> set[str]:
    """The columns of which more has to be known than whether they break a rule."""
    named = {name for reference in contract.awaited for name in reference.columns}
    return named | set(contract.key) if _is_parent(platform, contract) else named


def _is_parent(platform: Platform, contract: Contract) -> bool:
    return any(contract.name == ref.table for other in platform.contracts.values() for ref in other.awaited)
