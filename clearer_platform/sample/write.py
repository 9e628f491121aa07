"""Writing the sample into a home: the registry, the first wave of landing files, and what comes later."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from upath import UPath

from clearer_platform.contracts import Contract
from clearer_platform.platform import Platform
from clearer_platform.sample.incidents import STRAYS
from clearer_platform.sample.mark import make_mark, read_mark
from clearer_platform.sample.plan import Size, plan
from clearer_platform.sample.render import render
from clearer_platform.sample.rows import File
from clearer_platform.sample.truth import Truth
from clearer_platform.sample.world import load_world
from clearer_platform.settings import Settings
from clearer_platform.storage import publish_bytes


def write(
    home: Path, *, days: int = Size.days, seed: int = Size.seed, per_day: int = Size.per_day
) -> list[Path | UPath]:
    """Make `home` a sample set-up: its registry and the first wave of files, landed or served. Returns their paths.

    Files that are there already stay as they are, so that it may run again after the second wave. Raises SampleError
    where `home` holds another registry or a sample of another size.
    """
    size = Size(days, seed, per_day)
    make_mark(home, size)
    platform = open_platform(home)
    written = _publish(platform, [file for file in plan(platform, size) if file.wave == 1], replace=False)
    for region, path, reason in STRAYS:
        publish_bytes(f"{reason}\n".encode(), platform.layout(region).root / "landing" / path)
    return written


def second_wave(home: Path) -> list[Path | UPath]:
    """Bring what comes later: late and mended files, a changed file under its old name, a second file for a day."""
    size, platform = read_mark(home).size, open_platform(home)
    return _publish(platform, [file for file in plan(platform, size) if file.wave == 2], replace=True)


def expected(home: Path, waves: int = 2) -> Truth:
    """What must come out of the sample in `home` once its first `waves` waves have been materialised in turn."""
    size, platform = read_mark(home).size, open_platform(home)
    return Truth(platform, plan(platform, size), waves)


def open_platform(home: Path) -> Platform:
    """The platform of the sample in `home`, whatever CLEARER_HOME says."""
    return Platform.open(Settings(home=home, regions_file=home / "regions.toml"))


def place(platform: Platform, file: File) -> UPath | Path:
    """Where a file arrives: in its landing folder or, where the table has an API, among what that serves."""
    if platform.region(file.region).http_source(file.table):
        return served(platform, file.region, file.table) / file.name
    return platform.layout(file.region).landing(file.table) / file.name


def served(platform: Platform, region: str, table: str) -> UPath | Path:
    """Where the sample's API has a table's records; a real one would have them elsewhere."""
    return platform.layout(region).root / "served" / table


def content(platform: Platform, file: File) -> bytes:
    """The bytes of a file in its region's format."""
    world = _world(file.region)
    columns = file_columns(platform.contract(file.table), world.optional[file.table])
    nested = {
        child.nested.column: platform.source(file.region, child.name)
        for child in platform.children(file.table)
        if child.nested
    }
    return render(file, columns, platform.source(file.region, file.table), world.line_ending, nested)


def file_columns(contract: Contract, optional: Sequence[str]) -> list[str]:
    """The contract's columns that a file has: all that are required, and those optional ones that the region sends."""
    return [column.name for column in contract.columns if column.required or column.name in optional]


_world = lru_cache(load_world)


def _publish(platform: Platform, files: Sequence[File], *, replace: bool) -> list[Path | UPath]:
    written = []
    for file in files:
        path = place(platform, file)
        if replace or not path.exists():
            publish_bytes(content(platform, file), path)
            written.append(path)
    return written
