"""Where a region keeps its data: every path below a region's root is named here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from upath import UPath

from clearer_platform.errors import RegistryError
from clearer_platform.storage import is_local, local, locked

GLOBAL = "global"
"""What is built across regions is named so where a region's name stands otherwise; no region may be."""


@dataclass(frozen=True)
class Layout:
    """The folders of one root (a region's, or the global one). `work` is always local and in the same jurisdiction."""

    name: str
    root: UPath | Path
    work: Path
    lock_timeout: float = 600

    def landing(self, table: str) -> UPath | Path:
        """Where files of `table` arrive."""
        return self.root / "landing" / table

    def bronze(self, table: str, day: date | None = None, slot: str | None = None) -> UPath | Path:
        """Deliveries and manifests of a table, of its day, of one slot of it."""
        return _below(self.root / "bronze" / table, f"{day}" if day else None, slot)

    def silver(self, table: str) -> UPath | Path:
        """The silver files of `table`."""
        return self.root / "silver" / table

    def silver_file(self, table: str, day: date, slot: str) -> UPath | Path:
        """The one silver file of a slot."""
        return self.silver(table) / f"day={day}" / f"{quoted(slot)}.parquet"

    def refused(self, table: str) -> UPath | Path:
        """What is known of deliveries of `table` that were refused as a whole."""
        return self.root / "refused" / table

    def refused_file(self, table: str, day: date, slot: str, suffix: str = ".json") -> UPath | Path:
        """The refusals of one slot (`.json`), or the records of the newest of them, judged (`.parquet`)."""
        return self.refused(table) / f"day={day}" / f"{quoted(slot)}{suffix}"

    @property
    def batches(self) -> UPath | Path:
        """The logs of batches that come from no file of the region."""
        return self.root / "batches"

    @property
    def spool(self) -> Path:
        """The database that holds batches from receipt on; their content until it is sealed."""
        return self.work / "batches" / "spool.db"

    @property
    def backups(self) -> UPath | Path:
        """The backups of this root's tables."""
        return self.root / "backups"

    @property
    def warehouse(self) -> UPath | Path:
        """The serving copy of this root's gold."""
        return self.root / "warehouse.duckdb"

    @property
    def secrets(self) -> Path:
        """Folder of this root's own secrets."""
        return self.work / "secrets"

    @property
    def places(self) -> tuple[str, str]:
        """Where root and work folder are, whatever links lead there: one in another begins as that does."""
        return _place(self.root), _place(self.work)

    @contextmanager
    def lock(self, what: str) -> Iterator[None]:
        """Hold this root's lock called `what`; the kernel frees it when the process dies.

        Raises Busy on time-out, and StorageError where there can be no lock.
        """
        with locked(self.work / f"{what}.lock", self.lock_timeout, self.name):
            yield


def layout_of(
    name: str, root: str, work: str | None, options: dict[str, Any], home: Path, lock_timeout: float
) -> Layout:
    """The layout for a root as the registry writes it: a folder relative to `home`, or a URL.

    Raises RegistryError for a root that no file system has.
    """
    try:
        place: UPath | Path = UPath(root.rstrip("/"), **options) if "://" in root else home.resolve() / root
    except (ValueError, ImportError) as e:
        raise RegistryError(f"{name}: there can be no root {root!r}: {e}") from e
    if is_local(place):
        place = local(place)
    default = place / "work" if isinstance(place, Path) else home.resolve() / "work" / name
    return Layout(name, place, home.resolve() / work if work else Path(default), lock_timeout)


def quoted(slot: str) -> str:
    """A slot's name as a file name."""
    return quote(slot, safe=" ()+,@")


def unquoted(name: str) -> str:
    """The slot whose file name is `name`."""
    return unquote(name)


def _place(folder: UPath | Path) -> str:
    if isinstance(folder, Path):
        return f"{os.path.realpath(folder).rstrip('/')}/"
    server = sorted(folder.storage_options.items())  # A bucket of the same name may be on another one.
    return f"{server} {folder}".rstrip("/") + "/"


def _below(folder: UPath | Path, day: str | None, slot: str | None) -> UPath | Path:
    if day:
        folder = folder / day
    return folder / quoted(slot) if slot else folder
