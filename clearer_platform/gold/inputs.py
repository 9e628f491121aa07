"""What gold is built from: the published silver files of a region, and a snapshot of them that stays put."""

import hashlib
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path

from upath import UPath

from clearer_platform.errors import BuildError
from clearer_platform.platform import Platform
from clearer_platform.regions import Layout
from clearer_platform.regions.layout import quoted
from clearer_platform.silver import replacing
from clearer_platform.silver.outcome import Outcome
from clearer_platform.silver.stored import outcome_in
from clearer_platform.storage import files, is_local, local

WAITS = (0.05, 0.2, 0.5, 1.0)
"""Seconds before silver is looked at again where files of one delivery do not agree."""

Contents = dict[tuple[str, str, date, str], str]
"""(region, table, day, slot) -> fingerprint."""


@dataclass(frozen=True)
class SilverFile:
    """One published silver file."""

    region: str
    table: str
    day: date
    slot: str
    fingerprint: str
    path: UPath | Path
    delivery: str
    """Id of the delivery; ids sort by when they were received."""
    replaces: bool
    """Whether it stands in the place of what the region delivered for the table before."""


def published(platform: Platform, regions: Iterable[str]) -> list[SilverFile]:
    """The silver files that stand for the tables of `regions`, and of the shared tables in the global root.

    Raises BuildError where a delivery stands in one of the tables that it fills and not in another.
    """
    regions = list(regions)
    return _whole(platform, lambda: _published(platform, regions), lambda table: len(platform.family(table)))


def _published(platform: Platform, regions: Iterable[str]) -> list[SilverFile]:
    found: list[SilverFile] = []
    for region in regions:
        for table in platform.tables(region):
            if not platform.contract(table).shared:
                found += _of_table(platform.layout(region), table)
    for contract in platform.contracts.values():
        if contract.shared:
            found += _of_table(platform.global_layout, contract.name)
    return found


def published_of(platform: Platform, region: str, table: str) -> list[SilverFile]:
    """The silver files that stand for one table in the region's own root."""
    return _of_table(platform.layout(region), table)


def that_count(platform: Platform, silver: Iterable[SilverFile]) -> list[SilverFile]:
    """Those of the files that take part: a restored backup stands in the place of what was received before it."""
    tables: dict[tuple[str, str], list[SilverFile]] = defaultdict(list)
    for file in silver:
        tables[file.region, file.table].append(file)
    return [
        file
        for (_, table), found in tables.items()
        for file in replacing.that_count(found, platform.contract(table).load_mode)
    ]


def contents(silver: Iterable[SilverFile]) -> Contents:
    """The files as a warehouse records them."""
    return {(file.region, file.table, file.day, file.slot): file.fingerprint for file in silver}


def snapshot(platform: Platform, silver: Iterable[SilverFile], folder: Path, mirror: Path) -> list[SilverFile]:
    """The same files below `folder`, where nobody replaces them; one that is gone by now is left out.

    Local files are linked, not copied. Those of a bucket are fetched once and kept in `mirror` for the next build.
    What a file contains is read again here: it may have been replaced since it was listed.
    """
    listed = list(silver)
    tables = {file.table for file in listed}
    return _whole(
        platform,
        lambda: _taken(listed, folder, mirror),
        lambda table: len(tables & {contract.name for contract in platform.family(table)}),
    )


def _taken(silver: list[SilverFile], folder: Path, mirror: Path) -> list[SilverFile]:
    taken, kept = [], set()
    for file in silver:
        place = folder / file.region / file.table / f"{file.day}" / f"{quoted(file.slot)}.parquet"
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.unlink(missing_ok=True)
            source = local(file.path) if is_local(file.path) else _mirrored(file, mirror)
            kept.add(source)
            _link(source, place)
        except FileNotFoundError:
            continue
        taken.append(_read(place, file.table))
    for table in {file.table for file in silver}:
        for path in set(mirror.glob(f"{table}-*")) - kept:
            path.unlink(missing_ok=True)
    return taken


def _whole(platform: Platform, look: Callable[[], list[SilverFile]], number: Callable[[str], int]) -> list[SilverFile]:
    """The files that `look` finds, once every delivery is in all the tables that it fills, of which there are `number`.

    They are put in place one after the other: it may be looked in between.
    """
    for wait in WAITS:
        found = look()
        slots: dict[tuple[str, str, date, str], list[str]] = defaultdict(list)
        for file in found:
            slots[file.region, platform.delivered(file.table), file.day, file.slot].append(file.fingerprint)
        torn = [key for key, seen in slots.items() if len(seen) != number(key[1]) or len(set(seen)) != 1]
        if not torn:
            return found
        time.sleep(wait)
    region, table, day, slot = torn[0]
    raise BuildError(
        f"silver of {table} {region} {day} {slot} is not whole: putting it in place was interrupted",
        hint="run `clearer revalidate` or `clearer materialize`: it is put in place again",
    )


def _of_table(layout: Layout, table: str) -> list[SilverFile]:
    found = []
    for path in files(layout.silver(table), ".parquet"):
        try:
            found.append(_read(path, table))
        except FileNotFoundError:
            continue  # removed while we looked: its delivery is refused by now
    return found


def _read(path: UPath | Path, table: str) -> SilverFile:
    outcome = _outcome(_Version(_version(path), path))
    return SilverFile(
        outcome.region,
        table,
        outcome.day,
        outcome.slot,
        outcome.fingerprint,
        path,
        outcome.delivery,
        outcome.replaces,
    )


@dataclass(frozen=True)
class _Version:
    """A file's state where it is stored, and one of the names that it goes by: its links are the same version."""

    stored: str
    path: UPath | Path = field(compare=False)


@lru_cache(maxsize=200_000)
def _outcome(version: _Version) -> Outcome:
    """What a silver file says of itself, read once a version."""
    return outcome_in(version.path)


def _version(path: UPath | Path) -> str:
    if is_local(path):
        state = local(path).stat()
        return f"{state.st_dev} {state.st_ino} {state.st_mtime_ns} {state.st_size}"
    assert isinstance(path, UPath)
    info = path.fs.info(path.path)
    return " ".join(
        str(info.get(name)) for name in ("name", "ETag", "etag", "LastModified", "mtime", "created", "size")
    )


def _mirrored(file: SilverFile, mirror: Path) -> Path:
    """The file of a bucket, fetched if this version of it was not."""
    path = file.path
    assert isinstance(path, UPath)
    place = mirror / f"{file.table}-{hashlib.sha256(f'{path} {_version(path)}'.encode()).hexdigest()}"
    if not place.exists():
        mirror.mkdir(parents=True, exist_ok=True)
        beside = place.with_suffix(".part")
        path.fs.get_file(path.path, str(beside))
        os.replace(beside, place)
    return place


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, place)  # another file system, or one without links
