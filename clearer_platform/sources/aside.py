"""Set aside: what lies in a landing folder and can be no delivery is moved to `<root>/aside/`, beside the reason.

Nothing is lost and nothing overwritten: a file of the same name that was set aside before keeps its place, and the
newer one takes a number. The reason is written before the file is moved, so that a kill in between is put right by the
next look. It stays in the root in which it was found: nobody knows yet whose data is in it.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError
from upath import UPath

from clearer_platform.errors import DeliveryError, StorageError
from clearer_platform.platform import Platform
from clearer_platform.sources.files import DONE, IN_PROGRESS, Stray, landed
from clearer_platform.storage import files, is_local, listing, local, move, publish_bytes, remove, reported

ASIDE, LANDING, REASON = "aside", "landing", ".reason.json"


class Reason(BaseModel):
    """What is written beside a file that was set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    file: str
    """Where it lay, below the landing folder."""
    reason: str
    what_to_do: str
    at: AwareDatetime


class Aside(BaseModel):
    """A file that was set aside."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    reason: Reason
    root: UPath | Path
    path: UPath | Path

    @property
    def name(self) -> str:
        """What `clearer aside` calls it."""
        below = str(self.path).removeprefix(str(self.root / ASIDE)).lstrip("/")
        return f"{self.reason.region}/{below}"

    @property
    def table(self) -> str:
        """The folder of the landing folder that it lay in."""
        return PurePosixPath(self.reason.file).parts[0] if "/" in self.reason.file else ""


def strays(platform: Platform, regions: Iterable[str] | None = None) -> list[Stray]:
    """Whatever can be no delivery, in the landing folders of `regions`; or of all, and of regions that nobody knows."""
    found = [s for region in regions or platform.registry.regions for s in landed(platform, region)[1]]
    return found if regions else [*found, *of_unknown_regions(platform)]


def of_unknown_regions(platform: Platform) -> list[Stray]:
    """Files in landing folders that stand beside those of regions, but belong to none."""
    found = []
    for root in _unknown_roots(platform):
        reason = f"there is no region whose root is {root.name}"
        for text, version in listing(root / LANDING).items():
            name = text.rsplit("/", 1)[-1]
            if not name.startswith(".") and not name.lower().endswith((*IN_PROGRESS, DONE)):
                found.append(Stray(root.name, Path(text), reason, version, root))
    return found


def set_aside(stray: Stray) -> Aside:
    """Move a stray out of its landing folder, beside its reason. Raises StorageError."""
    below = _as_text(str(stray.path).removeprefix(str(stray.root / LANDING)).lstrip("/"))
    hint = f"mend what is wrong, then `clearer aside restore {stray.region}/{below}`; or delete it here"
    reason = Reason(region=stray.region, file=below, reason=stray.reason, what_to_do=hint, at=datetime.now(UTC))
    target = _free_place(stray.root / ASIDE / below)
    beside = target.parent / f"{target.name}{REASON}"
    publish_bytes(reason.model_dump_json(indent=1).encode(), beside)
    try:
        move(stray.path, target)
    except StorageError:
        remove(beside)
        raise
    with suppress(StorageError):
        remove(stray.path.parent / f"{stray.path.name}{DONE}")  # Its marker says nothing any more.
    return Aside(reason=reason, root=stray.root, path=target)


def set_asides(platform: Platform, regions: Iterable[str] | None = None) -> list[Aside]:
    """Every file that was set aside in the roots of `regions` (or of all, and beside them), the newest first."""
    roots: list[UPath | Path] = [platform.layout(region).root for region in regions or platform.registry.regions]
    found = [a for root in [*roots, *([] if regions else _unknown_roots(platform))] for a in _in_root(root)]
    return sorted(found, key=lambda a: a.reason.at, reverse=True)


def restore(aside: Aside) -> UPath | Path:
    """Put a file back to where it lay. Raises DeliveryError where another of that name has come meanwhile."""
    target = aside.root / LANDING / aside.reason.file
    if target.exists():
        raise DeliveryError(f"{target} is there already", hint="move one of the two, or give it another name")
    move(aside.path, target)
    remove(aside.path.parent / f"{aside.path.name}{REASON}")
    return target


def _as_text(name: str) -> str:
    """A name that can be printed and written as UTF-8; the file gets it, where it had another."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _in_root(root: UPath | Path) -> Iterator[Aside]:
    there = files(root / ASIDE)
    names = {str(path) for path in there}
    for path in there:
        told = path.parent / f"{path.name}{REASON}"
        if path.name.endswith(REASON) or str(told) not in names:
            continue
        try:
            with reported("read", told):
                yield Aside(reason=Reason.model_validate_json(told.read_bytes()), root=root, path=path)
        except (ValidationError, StorageError):
            continue  # Restored or changed meanwhile, or not ours.


def _free_place(target: UPath | Path) -> UPath | Path:
    """`target`, or the first of its names with a number that is free."""
    place, number = target, 1
    while place.exists():
        number += 1
        place = target.parent / f"{target.stem}.{number}{target.suffix}"
    return place


def _unknown_roots(platform: Platform) -> list[Path]:
    """Folders beside the local roots of regions that look like a region's, and are not."""
    layouts = [platform.layout(region) for region in platform.registry.regions]
    roots = {local(layout.root) for layout in layouts if is_local(layout.root)}
    found = []
    for parent in {root.parent for root in roots}:
        with reported("list", parent):
            beside = sorted(parent.iterdir()) if parent.is_dir() else []
        found += [f for f in beside if f not in roots and ((f / LANDING).is_dir() or (f / ASIDE).is_dir())]
    return [folder for folder in found if not any(root.is_relative_to(folder) for root in roots)]
