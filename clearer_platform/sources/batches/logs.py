"""Logs as files: of each batch with an invalid row, and the summary of all, beside the file that they come from.

Beside `<name>` lie `<name>.batches/<batch id>.json` and `<name>.summary.json`; what comes from no file has them in
`<region root>/batches/`. They name rows, columns and rules, never a value.
"""

import glob
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from upath import UPath

from clearer_platform.bronze import Decision
from clearer_platform.platform import Platform
from clearer_platform.sources.batches.batch import BatchRecord, Summary
from clearer_platform.sources.batches.spool import Spool
from clearer_platform.sources.files import LOGS, SUMMARY
from clearer_platform.storage import PARTIAL, is_local, local, publish_bytes

LATER = {"status", "delivery"}
"""What is found out whenever a log is read, and changes after it was written."""


def write(platform: Platform, spool: Spool, records: Sequence[BatchRecord]) -> None:
    """Write the logs of batches with invalid rows, and the summaries that the batches belong to."""
    for record in records:
        if record.invalid:
            folder, _ = places(platform, record.region, record.origin)
            log = record.model_dump_json(indent=1, exclude=LATER)
            _publish(log, folder / f"{record.id}.json")
    region = records[0].region
    for origin in {record.origin for record in records}:
        every = [entry.record for entry in spool.entries(origin=origin)]
        total = summed(region, (record for record in every if record.origin == origin))
        _, place = places(platform, region, origin)
        _publish(total.model_dump_json(indent=1, exclude={"statuses", "table"}), place)


def _publish(text: str, place: UPath | Path) -> None:
    """Write a log, and remove what a process left behind that was killed at it. Only for the holder of the lock."""
    if is_local(place):
        for left in local(place).parent.glob(f"{PARTIAL}*-{glob.escape(place.name)}"):
            left.unlink(missing_ok=True)
    publish_bytes(text.encode(), place)


def places(platform: Platform, region: str, origin: str | None) -> tuple[UPath | Path, UPath | Path]:
    """The folder of the logs of batches from `origin`, and the file of their summary."""
    layout = platform.layout(region)
    if origin is None:
        return layout.batches, layout.batches / "summary.json"
    beside: UPath | Path = Path(origin)
    if "://" in origin:
        options = layout.root.storage_options if isinstance(layout.root, UPath) else {}
        beside = UPath(origin, **options)
    return beside.with_name(beside.name + LOGS), beside.with_name(beside.name + SUMMARY)


def summed(region: str, records: Iterable[BatchRecord], table: str | None = None) -> Summary:
    """What batches came to."""
    every = list(records)
    accepted = [record for record in every if record.decision is Decision.ACCEPTED]
    rules = Counter(row.rule for record in every for row in record.invalid_rows)
    return Summary(
        region=region,
        table=table,
        batches=len(every),
        accepted=len(accepted),
        rejected=len(every) - len(accepted),
        rows=sum(record.rows for record in every),
        valid=sum(record.valid for record in every),
        invalid=sum(record.invalid for record in every),
        written=sum(record.written for record in every),
        rules=dict(sorted(rules.items())),
    )
