"""Restoring: a backup is read and judged in full, and only then put in the place of what the table says now."""

from datetime import datetime
from pathlib import Path

from upath import UPath

from clearer_platform import bronze, gold, silver
from clearer_platform.bronze import Delivery
from clearer_platform.contracts import Contract
from clearer_platform.errors import BackupError
from clearer_platform.platform import Platform
from clearer_platform.serving.backups import avro, store
from clearer_platform.serving.backups.backup import Backup, Restored
from clearer_platform.serving.backups.making import Clock, layer_of, model_of, now
from clearer_platform.silver.sql import identifier, literal
from clearer_platform.storage import reported

INSTANT = "%Y-%m-%dT%H:%M:%S.%f"
SHOWN = 3


def restore(platform: Platform, region: str, backup: str | Path | UPath, table: str, *, clock: Clock = now) -> Restored:
    """Replace what `table` of `region` says by the rows of a backup: its id, or the path of its Avro file.

    The backup is read and verified in full before anything is replaced. A delivered table is restored by a delivery for
    today, which `clearer materialize` brings into gold like any other; a table of gold in place, and only where the
    warehouse contains exactly the silver files that the backup was built from. Raises BackupError, UnknownName,
    StorageError, Busy.
    """
    layer = layer_of(platform, region, table)
    found = store.found(platform, region, backup) if isinstance(backup, str) else store.at(backup, region)
    if (found.table, found.layer) != (table, layer):
        raise BackupError(
            f"{found.id} is a backup of {found.table} ({found.layer}), not of {table} ({layer})",
            hint=f"name the table {found.table}, or a backup of {table}",
        )
    layout = platform.layout(region)
    with store.scratch(layout) as work:
        file = store.read_in_full(found, work)
        if layer == "gold":
            return _gold(platform, found, file)
        return _delivered(platform, found, file, work, clock)


def _delivered(platform: Platform, backup: Backup, file: Path, work: Path, clock: Clock) -> Restored:
    """Deliver the rows: from when they are received on they stand in the place of what came before."""
    contract = platform.contract(backup.table)
    _check_columns(backup, contract, file)
    lines = work / "rows.data"
    store.check_rows(backup, _write_lines(platform, file, contract, lines, work), file)
    planned = _delivery(platform, backup, lines, clock())
    _check_rules(platform, planned, work)
    manifest = planned.manifest
    bronze.receive(
        platform.layout(manifest.region),
        manifest.table,
        manifest.day,
        manifest.slot,
        lines,
        origin=manifest.origin,
        record_count=manifest.record_count,
        restores=manifest.restores,
        clock=clock,
    )
    silver.bring_up(platform, manifest.region, manifest.table, [manifest.day])
    return Restored(backup, manifest.day, manifest.slot)


def _check_columns(backup: Backup, contract: Contract, file: Path) -> None:
    """Raise BackupError for a column that the contract does not have any more: its values would be lost."""
    known = {column.name for column in contract.columns}
    if unknown := [name for field in avro.schema_of(file)["fields"] if (name := field["name"]) not in known]:
        raise BackupError(
            f"{backup.id} has columns that {backup.table} does not have any more: {', '.join(unknown)}",
            hint="restore it under the contract with which it was made",
        )


def _write_lines(platform: Platform, file: Path, contract: Contract, to: Path, work: Path) -> int:
    """Write the rows as JSON lines in the platform's own form; how many there are.

    An optional column without a value is left out, as it may have been in what was delivered.
    """
    spool = literal(str(work / "rows.parquet"))
    with silver.connection(platform.settings, work) as connection, reported("write", to):
        connection.execute("set preserve_insertion_order = false")
        connection.register("given", avro.reader(file))
        connection.execute(f"copy (select * from given) to {spool} (format parquet)")
        rows = connection.read_parquet(str(work / "rows.parquet"))
        counted = ", ".join(f"count({identifier(name)})" for name in rows.columns)
        count, *filled = connection.execute(f"select count(*), {counted} from {spool}").fetchall()[0]
        required = {column.name for column in contract.columns if column.required}
        kept = [n for n, values in zip(rows.columns, filled, strict=True) if values or n in required]
        kinds = dict(zip(rows.columns, map(str, rows.types), strict=True))
        texts = ", ".join(f"{_text(identifier(name), kinds[name])} as {identifier(name)}" for name in kept)
        connection.execute(f"copy (select {texts} from {spool}) to {literal(str(to))} (format json)")
    return int(count)


def _text(column: str, kind: str) -> str:
    """SQL for a value by the text that silver reads as exactly that value."""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"strftime(timezone('UTC', {column}), '{INSTANT}')"
    if kind == "TIMESTAMP":
        return f"strftime({column}, '{INSTANT}')"
    return f"cast({column} as varchar)"


def _delivery(platform: Platform, backup: Backup, lines: Path, at: datetime) -> Delivery:
    """The delivery that brings the rows back, for the region's day at the instant `at`."""
    size, sha256 = avro.digest(lines)
    slot = f"restored-{backup.id}.jsonl"
    manifest = bronze.Manifest(
        region=backup.region,
        table=backup.table,
        day=platform.region(backup.region).today(at),
        slot=slot,
        file_name=slot,
        origin=f"backup {backup.id}",
        received_at=at,
        size=size,
        sha256=sha256,
        record_count=backup.rows,
        restores=backup.id,
    )
    return Delivery(manifest, lines)


def _check_rules(platform: Platform, delivery: Delivery, work: Path) -> None:
    """Raise BackupError where not every row fits the contract as it is now."""
    *_, outcome = silver.judged(platform, delivery, work)
    if outcome.status == "published":
        return
    reasons = [" ".join(filter(None, (p.column, p.message))) for p in outcome.problems[:SHOWN]]
    raise BackupError(
        f"backup {delivery.manifest.restores} does not fit the contract of {delivery.table}: {'; '.join(reasons)}",
        hint="nothing was replaced; restore it under the contract with which it was made",
    )


def _gold(platform: Platform, backup: Backup, file: Path) -> Restored:
    """Put the rows back into what is served, where it was built from the same silver files."""
    store.check_rows(backup, avro.count(file), file)

    def check(state: gold.State | None) -> None:
        if reason := _difference(backup, state):
            raise BackupError(
                f"{backup.id} cannot be put back: {reason}",
                hint="run `clearer materialize`: gold is made from what was delivered, so restore that instead",
            )

    gold.put_back(platform, backup.region, model_of(platform, backup.table), avro.reader(file), check)
    return Restored(backup, None, None)


def _difference(backup: Backup, state: gold.State | None) -> str | None:
    """In what the warehouse differs from the one that the backup was made of; None where it does not."""
    made_of = backup.manifest.gold.state if backup.manifest.gold else None
    if state is None or made_of is None:
        return "what is served does not say what it was built from"
    if state.version != made_of.version:
        return "models, contracts or the registry have changed since it was made"
    if state.as_of != made_of.as_of:
        return f"what is served stands as of {state.as_of or 'the newest delivery'}, it of {made_of.as_of or 'that'}"
    differing = {(table, day) for (_, table, day, _), _ in state.contents.items() ^ made_of.contents.items()}
    if not differing:
        return None
    shown = ", ".join(f"{table} {day}" for table, day in sorted(differing)[:SHOWN])
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    return f"gold was built from other silver files of {shown}{more}"
