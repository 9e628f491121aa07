"""Screening: a batch is judged when it comes, by the code that judges the delivery that it will be sealed into.

The same text is prepared in the same way, and the same query judges its records; only that nothing is written, and that
what they say of keys comes back as well.
"""

import os
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa

from clearer_platform import storage
from clearer_platform.bronze import Decision, Delivery, Manifest, OnInvalid, SealedBatch, Series
from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.platform import Platform
from clearer_platform.silver.bad import REPEATED_KEY, records_of, unread
from clearer_platform.silver.batches import judgement_of
from clearer_platform.silver.outcome import Problem, Refusal
from clearer_platform.silver.prepare import Prepared, prepare
from clearer_platform.silver.query import Judgement, reader
from clearer_platform.silver.sql import identifier
from clearer_platform.silver.tally import problem
from clearer_platform.silver.validate import Unreadable, Years, around, far, judged, options

Key = tuple[str, ...]


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
    values: dict[int, dict[str, str | None]]
    """The values of the columns asked for, as text, of the records that broke nothing and delete nothing."""


class Screen:
    """Judges the batches of one table of a region. Safe to use from several threads."""

    def __init__(self, platform: Platform, region: str, table: str) -> None:
        self._settings = platform.settings
        self._contract, self._source = platform.contract(table), platform.source(region, table)
        self._region, self._work = region, platform.layout(region).work / "batches"
        self._years = Years()

    def count_and_judge(self, sample: Sample, most: int, columns: Collection[str]) -> Screened | int:
        """Judge the records, or only count them where they are none, or more than `most`.

        With the records that broke nothing come the values of `columns`. Raises Refusal for what cannot be judged.
        """
        place = self._work / f"{storage.PARTIAL}{uuid.uuid4().hex}.data"
        with storage.reported("write", place):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(sample.content)
        prepared: Prepared | None = None
        try:
            delivery = Delivery(_manifest(self._region, self._contract, sample), place)
            limit = self._settings.max_delivery_bytes
            prepared = prepare(delivery, self._contract, self._source, self._work, limit)
            if not 0 < prepared.count <= most:
                return prepared.count
            return self._judged(prepared, columns)
        finally:
            if prepared:
                prepared.remove()
            place.unlink(missing_ok=True)

    def _judged(self, prepared: Prepared, columns: Collection[str]) -> Screened:
        judgement = judgement_of(self._contract, self._source, prepared)
        rules: dict[int, list[str]] = dict(zip(*unread(prepared), strict=True))
        values: dict[int, dict[str, str | None]] = {}
        seen: set[bytes] = set()
        for number, row in zip(records_of(prepared, _range(prepared)), self._rows(judgement, prepared, columns)):
            broken = row.pop("_rules")
            key, is_gone = row.pop("_key"), row.pop("_gone")
            if not broken and self._contract.load_mode is LoadMode.APPEND:
                # As `find_repeated` has it.
                broken = [REPEATED_KEY] if key in seen else []
                seen.add(key)
            if broken:
                rules[int(number)] = broken
            elif not is_gone:
                values[int(number)] = row
        lines = prepared.records.lines.tolist()
        problems = {n: [problem(judgement, prepared, rule, lines[n]) for rule in rules[n]] for n in sorted(rules)}
        return Screened(lines, problems, values)
