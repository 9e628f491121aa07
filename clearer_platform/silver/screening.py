"""Screening: a batch is judged when it comes, by the code that judges the delivery that it will be sealed into.

The same text is prepared in the same way, and the same query judges its records; only that nothing is written, and that
what they say of keys comes back as well.
"""

import hashlib
import os
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np

from clearer_platform import storage
from clearer_platform.bronze import Decision, Delivery, Manifest, OnInvalid, SealedBatch, Series
from clearer_platform.contracts import LoadMode
from clearer_platform.platform import Platform
from clearer_platform.silver.bad import REPEATED_KEY, records_of, unread
from clearer_platform.silver.outcome import Problem, Refusal
from clearer_platform.silver.prepare import Prepared, prepare
from clearer_platform.silver.query import Judgement, reader
from clearer_platform.silver.sql import held, identifier
from clearer_platform.silver.tally import problem
from clearer_platform.silver.validate import Unreadable, Years, execute, far, options
from clearer_platform.sources.batches import MalformedBatch
from clearer_platform.sources.batches.reading import check_number

RULES, KEY, GONE = "_rules", "_key", "_gone"
Values = dict[str, str | None]


@dataclass(frozen=True)
class Sample:
    """The text of one batch, as its delivery will hold it."""

    content: bytes
    is_json: bool
    columns: tuple[str, ...]
    received_at: datetime
    day: date


@dataclass(frozen=True)
class Screened:
    """What a batch's records came to, by their number from 0."""

    lines: Sequence[int]
    """The line of each record."""
    problems: dict[int, list[Problem]]
    """What each record broke that broke anything."""
    values: dict[int, Values]
    """The values of the columns asked for, as text, of the records that broke nothing and delete nothing."""


class Screen:
    """Judges the batches of one table of a region. Safe to use from several threads."""

    def __init__(self, platform: Platform, region: str, table: str) -> None:
        self._settings, self._region = platform.settings, region
        self._contract, self._source = platform.contract(table), platform.source(region, table).batch_form
        self._work = platform.layout(region).work / "batches"
        self._years = Years()

    def __call__(self, sample: Sample, columns: Collection[str]) -> Screened:
        """Judge the records of a batch; `columns` are those whose values come back.

        Raises EmptyBatch, TooManyRows, or MalformedBatch for what cannot be judged at all.
        """
        place = self._work / f"{storage.PARTIAL}{uuid.uuid4().hex}.data"
        prepared: Prepared | None = None
        with storage.reported("write", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(sample.content)
        try:
            delivery = Delivery(_manifest(self._region, self._contract.name, sample), place)
            prepared = prepare(delivery, self._contract, self._source, self._work, self._settings.max_delivery_bytes)
            check_number(prepared.count)
            return self._screened(prepared, columns)
        except Refusal as e:
            raise MalformedBatch(e.problem.message) from e
        finally:
            if prepared:
                prepared.remove()
            place.unlink(missing_ok=True)

    def _screened(self, prepared: Prepared, columns: Collection[str]) -> Screened:
        judgement = Judgement(self._contract, self._source, prepared.header, prepared.in_batches)
        lines = prepared.records.lines.tolist()
        rules = {int(n): [rule] for n, rule in zip(*unread(prepared), strict=True)}
        values: dict[int, Values] = {}
        seen: set[bytes] = set()
        numbers = records_of(prepared, np.arange(prepared.readable_count)).tolist()
        for number, row in zip(numbers, self._rows(judgement, prepared, columns), strict=True):
            broken, key, is_gone = row.pop(RULES), row.pop(KEY), row.pop(GONE)
            if not broken and self._contract.load_mode is LoadMode.APPEND:
                # As `find_repeated` has it: after the first good row of a key.
                broken = [REPEATED_KEY] if key in seen else []
                seen.add(key)
            if broken:
                rules[number] = broken
            elif not is_gone:
                values[number] = row
        problems = {n: [problem(judgement, prepared, rule, lines[n]) for rule in rules[n]] for n in sorted(rules)}
        return Screened(lines, problems, values)

    def _rows(self, judgement: Judgement, prepared: Prepared, columns: Collection[str]) -> list[dict[str, Any]]:
        """What the query says of each record that can be read, in order."""
        if not prepared.readable_count:
            return []
        self._years.expect([prepared.delivery.day])
        texts = reader(judgement, [prepared.readable], options([prepared], in_pieces=False))
        tombstone = self._contract.tombstone
        is_gone = f"coalesce({held(tombstone)}, false)" if tombstone and tombstone in judgement.delivered else "false"
        wanted = [f"{KEY}, {RULES}, {is_gone} AS {GONE}"]
        wanted += [f"CAST({held(c)} AS VARCHAR) AS {identifier(c)}" for c in columns if c in judgement.delivered]
        while True:
            query = f"SELECT {', '.join(wanted)} FROM ({judgement.sql(texts, self._years.known)})"
            try:
                with _engine(os.getpid(), self._settings.memory_limit).cursor() as con:
                    rows: list[dict[str, Any]] = execute(con, query).to_arrow_table().to_pylist()
            except Unreadable as e:
                raise Refusal("unreadable", f"the engine cannot read it: {e}") from e
            if len(rows) != prepared.readable_count:
                raise Refusal("unreadable", f"{prepared.readable_count} records are in it, {len(rows)} were read")
            further = far(rule for row in rows for rule in row[RULES])
            if not further:
                return rows
            self._years.known |= further


@lru_cache(maxsize=1)
def _engine(process: int, memory_limit: str) -> duckdb.DuckDBPyConnection:
    """An engine in memory for the batches of this process: they are small, and many may be judged at once."""
    con = duckdb.connect(":memory:", config={"memory_limit": memory_limit, "threads": 1})
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    return con


def _manifest(region: str, table: str, sample: Sample) -> Manifest:
    """The manifest of the delivery that a batch would be, all by itself."""
    batch = SealedBatch(
        id="",
        received_at=sample.received_at,
        rows=0,
        valid=0,
        lines=sample.content.count(b"\n"),
        on_invalid=OnInvalid.REJECT_ROWS,
        decision=Decision.ACCEPTED,
        content_hash="",
        client="",
    )
    name = "batch.jsonl" if sample.is_json else "batch.csv"
    return Manifest(
        region=region,
        table=table,
        day=sample.day,
        slot=name,
        file_name=name,
        origin="",
        received_at=sample.received_at,
        size=len(sample.content),
        sha256=hashlib.sha256(sample.content).hexdigest(),
        series=Series(columns=sample.columns, batches=(batch,)),
    )
