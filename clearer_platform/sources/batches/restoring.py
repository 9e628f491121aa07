"""The log of sealed batches, as the manifests of their deliveries have it: what a lost spool is made anew from."""

from collections.abc import Iterator

from clearer_platform.bronze import Manifest, SealedBatch, is_json_lines, slots
from clearer_platform.platform import Platform
from clearer_platform.sources.batches.batch import BatchRecord, Form, kind_of


def from_manifests(platform: Platform, region: str) -> Iterator[dict[str, object]]:
    """A row of the spool for every sealed batch, in the order in which they came."""
    layout, tables = platform.layout(region), platform.region(region).tables
    manifests = [slot.current.manifest for table in tables for slot in slots(layout, table)]
    found = [(batch, manifest) for manifest in manifests if manifest.series for batch in manifest.series.batches]
    for batch, manifest in sorted(found, key=lambda pair: (pair[0].received_at, pair[0].id)):
        yield _restored(batch, manifest)


def _restored(batch: SealedBatch, manifest: Manifest) -> dict[str, object]:
    assert manifest.series is not None
    form = Form.JSON if is_json_lines(manifest.slot) else Form.CSV
    record = BatchRecord(
        **batch.model_dump(exclude={"lines", "content_hash"}),
        region=manifest.region,
        table=manifest.table,
        day=manifest.day,
        form=form,
        invalid=batch.rows - batch.valid,
    )
    return {
        "id": batch.id,
        "table_name": manifest.table,
        "day": f"{manifest.day}",
        "kind": kind_of(form, manifest.series.columns),
        "key_hash": batch.key_hash,
        "content_hash": batch.content_hash,
        "lines": batch.lines,
        "origin": batch.origin,
        "record": record.model_dump_json(),
        "slot": manifest.slot,
    }
