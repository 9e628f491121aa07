"""Backups: any delivered or gold table of a region as an Avro file in that region's own root, and back again.

create(platform, "eu", "customers")            back up what the table says now
listed(platform, "eu")                         the backups that are there, the newest first
verify(platform, "eu", backup_id)              read one in full
restore(platform, "eu", backup_id, "customers")  put its rows in the place of what the table says now
prune(platform, "eu", "customers", keep=7)     remove old ones
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from upath import UPath

from clearer_platform.platform import Platform
from clearer_platform.serving.backups.backup import Backup, Restored

__all__ = ["Backup", "Restored", "create", "damaged", "listed", "possible", "prune", "restore", "verify"]

Clock = Callable[[], datetime]


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def possible(platform: Platform, region: str) -> list[str]:
    """The tables of a region that can be backed up: those that it delivers, then those of its gold."""
    raise NotImplementedError


def create(platform: Platform, region: str, table: str, *, clock: Clock = now) -> Backup:
    """Back up what `table` of `region` says now.

    Raises UnknownName for a table or region that is not there, BackupError for what cannot be backed up, StorageError.
    """
    raise NotImplementedError


def listed(platform: Platform, region: str, table: str | None = None) -> list[Backup]:
    """The backups of a region (of one table) whose manifests are whole, the newest first."""
    raise NotImplementedError


def damaged(platform: Platform, region: str, table: str | None = None) -> list[str]:
    """The ids of backups of a region (of one table) whose manifests are damaged."""
    raise NotImplementedError


def verify(platform: Platform, region: str, backup_id: str) -> Backup:
    """The backup, once every byte and row of it has been read and found right. Raises BackupError."""
    raise NotImplementedError


def restore(platform: Platform, region: str, backup: str | Path | UPath, table: str, *, clock: Clock = now) -> Restored:
    """Replace what `table` of `region` says by the rows of a backup: its id, or the path of its Avro file.

    The backup is read and verified in full before anything is replaced. A delivered table is restored by a delivery for
    today, which `clearer materialize` brings into gold like any other; a table of gold in place, and only where the
    warehouse contains exactly the silver files that the backup was built from. Raises BackupError, UnknownName,
    StorageError, Busy.
    """
    raise NotImplementedError


def prune(platform: Platform, region: str, table: str, keep: int) -> list[Backup]:
    """Remove all but the newest `keep` backups of a table, but never the newest good one; those that are gone."""
    raise NotImplementedError
