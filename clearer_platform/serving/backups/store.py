"""Where backups lie: they are found, put in place, verified and removed here.

A backup's manifest comes last and goes first: a file without one is no backup.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from clearer_platform.errors import BackupError, StorageError
from clearer_platform.platform import Platform
from clearer_platform.regions import Layout
from clearer_platform.serving.backups import avro, schemas
from clearer_platform.serving.backups.backup import AVRO, MANIFEST, Backup, Manifest, table_of
from clearer_platform.storage import (
    clear_leftovers,
    fetch,
    files,
    is_local,
    local,
    publish_bytes,
    publish_file,
    reported,
)
from clearer_platform.storage import remove as remove_file

ANOTHER = "restore from another backup: `clearer backups list` names them"


def listed(platform: Platform, region: str, table: str | None = None) -> list[Backup]:
    """The backups of a region (of one table) whose manifests are whole, the newest first."""
    found = [
        backup
        for path in _manifests(platform, region, table)
        if (text := _text(path)) is not None and (backup := _whole(path, text))
    ]
    return sorted(found, key=lambda backup: backup.created_at, reverse=True)


def damaged(platform: Platform, region: str, table: str | None = None) -> list[str]:
    """The ids of backups of a region (of one table) whose manifests are damaged."""
    return [
        _id(path)
        for path in _manifests(platform, region, table)
        if (text := _text(path)) is not None and _whole(path, text) is None
    ]


def found(platform: Platform, region: str, backup_id: str) -> Backup:
    """The backup of this id. Raises BackupError where there is none, or its manifest is damaged."""
    path = platform.layout(region).backups / table_of(backup_id) / f"{backup_id}{AVRO}"
    return at(path, region)


def at(path: UPath | Path, region: str) -> Backup:
    """The backup whose Avro file is at `path`, its manifest beside it. Raises BackupError."""
    manifest = path.parent / f"{_id(path)}{MANIFEST}"
    text = _text(manifest)
    if text is None:
        raise BackupError(
            f"there is no backup {_id(path)} of {region}", hint="`clearer backups list` names those there are"
        )
    backup = _whole(manifest, text)
    if backup is None:
        raise BackupError(f"the manifest of backup {_id(path)} is damaged: it is not what was written", hint=ANOTHER)
    if backup.region != region:
        raise BackupError(
            f"{backup.id} is a backup of {backup.region}, not of {region}", hint="a region's rows stay in its own root"
        )
    return backup


def read_in_full(backup: Backup, work: Path) -> Path:
    """A local file with the backup's bytes, each of which is the one that was written. Raises BackupError."""
    path = fetch(backup.file, work / backup.file.name)
    if avro.digest(path) != (backup.bytes, backup.sha256):
        raise BackupError(f"backup {backup.id} is damaged: its bytes are not those that were written", hint=ANOTHER)
    return path


def check_rows(backup: Backup, rows: int, path: Path) -> None:
    """Raise BackupError where the file at `path`, of which so many rows were read, is not what the manifest says."""
    if rows != backup.rows or schemas.fingerprint_of(avro.schema_of(path)) != backup.schema_fingerprint:
        raise BackupError(f"backup {backup.id} is damaged: its rows are not those that it was made of", hint=ANOTHER)


def verify(platform: Platform, region: str, backup_id: str) -> Backup:
    """The backup, once every byte and row of it has been read and found right. Raises BackupError."""
    backup = found(platform, region, backup_id)
    layout = platform.layout(region)
    with scratch(layout) as work:
        path = read_in_full(backup, work)
        check_rows(backup, avro.count(path), path)
    return backup


def put(layout: Layout, manifest: Manifest, written: Path) -> Backup:
    """Put a backup in place: its file, and then its manifest. For the holder of the lock."""
    folder = layout.backups / manifest.table
    _clear_table(folder)
    file = folder / f"{manifest.id}{AVRO}"
    publish_file(written, file)
    publish_bytes(manifest.text, folder / f"{manifest.id}{MANIFEST}")
    return Backup(manifest, file)


def prune(platform: Platform, region: str, table: str, keep: int) -> list[Backup]:
    """Remove all but the newest `keep` backups of a table, but never the newest good one; those that are gone."""
    layout = platform.layout(region)
    with scratch(layout) as work:
        newest_first = listed(platform, region, table)
        kept, old = newest_first[:keep], newest_first[keep:]
        if old and not any(_is_good(backup, work) for backup in kept):
            good = next((backup for backup in old if _is_good(backup, work)), None)
            old = [backup for backup in old if backup != good]
        for backup in old:
            remove_file(backup.file.parent / f"{backup.id}{MANIFEST}")
            remove_file(backup.file)
    return old


@contextmanager
def scratch(layout: Layout) -> Iterator[Path]:
    """A folder for what is being read or written, in the region's own work folder; the lock over its backups is held.

    It is empty at first, whatever a killed process left in it, and gone afterwards.
    """
    folder = layout.work / "backups"
    with layout.lock("backups"):
        try:
            with reported("write", folder):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _is_good(backup: Backup, work: Path) -> bool:
    try:
        read_in_full(backup, work)
    except (BackupError, StorageError):
        return False
    return True


def _manifests(platform: Platform, region: str, table: str | None) -> list[UPath | Path]:
    folder = platform.layout(region).backups
    return files(folder / table if table else folder, MANIFEST)


def _text(path: UPath | Path) -> bytes | None:
    """What stands in a manifest; None where there is none (any more)."""
    with reported("read", path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None


def _whole(path: UPath | Path, text: bytes) -> Backup | None:
    """The backup whose manifest at `path` says `text`; None where it is not what was written there."""
    try:
        manifest = Manifest.read(text)
    except ValueError:
        return None
    is_same = manifest.text == text and manifest.id == _id(path)
    return Backup(manifest, path.parent / f"{manifest.id}{AVRO}") if is_same else None


def _id(path: UPath | Path) -> str:
    return path.name.removesuffix(AVRO).removesuffix(MANIFEST)


def _clear_table(folder: UPath | Path) -> None:
    """Remove what a killed process left among a table's backups: partial files, and files without a manifest."""
    if is_local(folder):
        clear_leftovers(local(folder))
    manifests = {_id(path) for path in files(folder, MANIFEST)}
    for path in files(folder, AVRO):
        if _id(path) not in manifests:
            remove_file(path)
