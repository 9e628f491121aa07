"""Writing the sample into a home: the registry, the first wave of landing files, and what comes later."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from json import JSONDecodeError, dumps, loads
from pathlib import Path

from upath import UPath

from clearer_platform.contracts import Contract
from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.sample.incidents import STRAYS
from clearer_platform.sample.plan import Size, plan
from clearer_platform.sample.render import render
from clearer_platform.sample.rows import File
from clearer_platform.sample.truth import Truth
from clearer_platform.sample.world import REGISTRY, load_world
from clearer_platform.settings import Settings
from clearer_platform.storage import publish_bytes

MARK = "sample.json"


class SampleError(ClearerError):
    """A home that holds something else than this sample, or no sample yet."""


def write(
    home: Path, *, days: int = Size.days, seed: int = Size.seed, per_day: int = Size.per_day
) -> list[Path | UPath]:
    """Make `home` a sample set-up: its registry and the first wave of landing files. Returns the files' paths.

    Files that are there already stay as they are, so that it may run again after the second wave. Raises SampleError
    where `home` holds another registry or a sample of another size.
    """
    size = Size(days, seed, per_day)
    registry, mark = home / "regions.toml", home / MARK
    if registry.exists() and registry.read_bytes() != REGISTRY.read_bytes():
        raise SampleError(f"{registry} is not the sample's registry", hint="set CLEARER_HOME to another folder")
    if mark.exists() and _size(home) != size:
        raise SampleError(
            f"{home} holds a sample of another size", hint="remove it, or set CLEARER_HOME to another folder"
        )
    publish_bytes(REGISTRY.read_bytes(), registry)
    publish_bytes(dumps(asdict(size), indent=1).encode(), mark)
    platform = open_platform(home)
    written = _publish(platform, [file for file in plan(platform, size) if file.wave == 1], replace=False)
    for region, path, reason in STRAYS:
        publish_bytes(f"{reason}\n".encode(), platform.layout(region).root / "landing" / path)
    return written


def second_wave(home: Path) -> list[Path | UPath]:
    """Land what comes later: late and mended files, a changed file under its old name, a second file for a day."""
    size, platform = _size(home), open_platform(home)
    return _publish(platform, [file for file in plan(platform, size) if file.wave == 2], replace=True)


def expected(home: Path, waves: int = 2) -> Truth:
    """What must come out of the sample in `home` once its first `waves` waves have been materialised in turn."""
    size, platform = _size(home), open_platform(home)
    return Truth(platform, plan(platform, size), waves)


def open_platform(home: Path) -> Platform:
    """The platform of the sample in `home`, whatever CLEARER_HOME says."""
    return Platform.open(Settings(home=home, regions_file=home / "regions.toml"))


def content(platform: Platform, file: File) -> bytes:
    """The bytes of a file in its region's format."""
    world = _world(file.region)
    columns = file_columns(platform.contract(file.table), world.optional[file.table])
    return render(file, columns, platform.region(file.region).source(file.table), world.line_ending)


def file_columns(contract: Contract, optional: Sequence[str]) -> list[str]:
    """The contract's columns that a file has: all that are required, and those optional ones that the region sends."""
    return [column.name for column in contract.columns if column.required or column.name in optional]


_world = lru_cache(load_world)


def _publish(platform: Platform, files: Sequence[File], *, replace: bool) -> list[Path | UPath]:
    written = []
    for file in files:
        path = platform.layout(file.region).landing(file.table) / file.name
        if replace or not path.exists():
            publish_bytes(content(platform, file), path)
            written.append(path)
    return written


def _size(home: Path) -> Size:
    try:
        return Size(**loads((home / MARK).read_text("utf-8")))
    except FileNotFoundError as e:
        raise SampleError(f"{home} holds no sample", hint="run `clearer sample` first") from e
    except (JSONDecodeError, TypeError) as e:
        raise SampleError(
            f"{home / MARK} cannot be read: {e}", hint="remove the folder and make the sample again"
        ) from e
