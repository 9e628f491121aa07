"""Reading bronze: which slots there are, and which delivery of each is current."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from upath import UPath

from clearer_platform.bronze.delivery import Delivery, Manifest
from clearer_platform.errors import RegistryError, StorageError
from clearer_platform.regions import Layout
from clearer_platform.regions.layout import unquoted
from clearer_platform.storage import files, is_there, reported


class DamagedDelivery(StorageError):
    """Bytes in bronze that are no longer those that were delivered, or a manifest that cannot be read."""

    def __init__(self, path: UPath | Path, what: str, otherwise: str = "deliver the same file again") -> None:
        super().__init__(f"{path} {what}", hint=f"restore it from a backup of the region's root, or {otherwise}")


@dataclass(frozen=True)
class Slot:
    """One slot of a table and day, with all that was ever delivered for it, the newest first."""

    table: str
    day: date
    name: str
    deliveries: tuple[Delivery, ...]

    @property
    def current(self) -> Delivery:
        """The delivery that counts."""
        return self.deliveries[0]


def slots(layout: Layout, table: str, days: Collection[date] | None = None) -> list[Slot]:
    """The slots of `table` (for `days`, or all), sorted by day and name."""
    folders = [layout.bronze(table)] if days is None else [layout.bronze(table, day) for day in sorted(days)]
    grouped: dict[tuple[date, str], list[UPath | Path]] = {}
    for folder in folders:
        for path in files(folder, ".json"):
            day = date.fromisoformat(path.parent.parent.name)
            grouped.setdefault((day, unquoted(path.parent.name)), []).append(path)
    return [Slot(table, day, name, _newest_first(layout, paths)) for (day, name), paths in sorted(grouped.items())]


def history(layout: Layout, table: str, day: date, slot: str) -> tuple[Delivery, ...]:
    """Every delivery of one slot, the newest first."""
    paths = files(layout.bronze(table, day, slot), ".json")
    return _newest_first(layout, paths)


def current(layout: Layout, table: str, day: date, slot: str) -> Delivery | None:
    """The delivery of a slot that counts, if there is one."""
    found = history(layout, table, day, slot)
    return found[0] if found else None


def is_intact(delivery: Delivery) -> bool:
    """Whether the bytes in bronze are there, and hash to the bytes delivered."""
    return is_there(delivery.content) and has_bytes(delivery, delivery.content)


def check_intact(delivery: Delivery, path: Path) -> None:
    """Raise DamagedDelivery where `path`, what was read of the delivery, does not hash to the bytes delivered."""
    if not has_bytes(delivery, path):
        raise DamagedDelivery(delivery.content, f"no longer holds what was delivered as {delivery}")


def has_bytes(delivery: Delivery, path: UPath | Path) -> bool:
    """Whether the file at `path` has the bytes that were delivered."""
    return sha256_of(path) == delivery.manifest.sha256


def sha256_of(path: UPath | Path) -> str:
    """The SHA-256 of a file. Raises StorageError where it cannot be read."""
    digest = hashlib.sha256()
    with reported("read", path), path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _newest_first(layout: Layout, manifests: Collection[UPath | Path]) -> tuple[Delivery, ...]:
    """The deliveries with these manifests. Raises RegistryError where they are another region's."""
    found = tuple(_read(path) for path in sorted(manifests, key=lambda p: p.name, reverse=True))
    for delivery in found:
        if delivery.manifest.region != layout.name:
            raise RegistryError(
                f"{delivery} was delivered by the region {delivery.manifest.region!r}, and the registry says that "
                f"{layout.root}, where it lies, is the root of {layout.name!r}",
                hint="a region keeps its name and its root once something was delivered: put back what the registry "
                "said, or give the new region a root of its own",
            )
    return found


@lru_cache(maxsize=200_000)
def _read(path: UPath | Path) -> Delivery:
    """The delivery whose manifest is at `path`. Manifests never change, so each is read once a process."""
    with reported("read", path):
        text = path.read_bytes()
    try:
        manifest = Manifest.model_validate_json(text)
    except ValueError:
        what = "is no longer the manifest that was written with a delivery"
        raise DamagedDelivery(path, what, "remove it, and deliver what is then not delivered") from None
    return Delivery(manifest, path.parent / f"{path.name.removesuffix('.json')}{suffixes(manifest.file_name)}")


def suffixes(file_name: str) -> str:
    """What bronze calls the content of a file so named: `.data` and its compression."""
    return f".data{_compression(file_name)}"


def is_json_lines(file_name: str) -> bool:
    """Whether a file so named holds one JSON object a line; any other holds delimited text."""
    name = file_name.lower()
    return name.removesuffix(_compression(name)).endswith(".jsonl")


def _compression(file_name: str) -> str:
    return next((s for s in (".gz", ".zst") if file_name.lower().endswith(s)), "")
