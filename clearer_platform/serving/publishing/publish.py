"""Publishing the gold of regions to targets: one publication a target, whole or not at all."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from clearer_platform.errors import ClearerError, NotBuilt, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.regions import DatabaseTarget, Target
from clearer_platform.serving.publishing import reading
from clearer_platform.serving.publishing.publication import Advance, Part, Published, Result, wanted
from clearer_platform.storage import publish_bytes

Recorded = Mapping[tuple[str, str], str]
"""(table, region) -> fingerprint of what is there."""


@dataclass(frozen=True)
class Publisher:
    """How gold is published to one kind of target."""

    publish: Callable[[Sequence[Part], bool, Advance], list[Published]]
    """Parts, whether also what is there already, and whom to tell: all of them, or an error and nothing."""
    recorded: Callable[[], Recorded]


def publish(
    platform: Platform,
    target: str,
    regions: Collection[str] | None = None,
    *,
    tables: Collection[str] | None = None,
    force: bool = False,
    dry_run: bool = False,
    advance: Advance = lambda target, table, done, total: None,
) -> Result:
    """Publish what `target` names of these regions (None: all of the target's), and of these tables alone if any are.

    What is there already is left as it is unless `force`d; a `dry_run` tells what there is to do and does nothing. What
    goes wrong with the target or what is published is in the result. Raises UnknownName for a target, or a region that
    is not published to it.
    """
    entry = platform.registry.target(target)
    try:
        with ExitStack() as stack:
            parts, left_out = _parts(platform, entry, _regions(platform, entry, regions), tables, stack)
            publisher = _publisher(platform, entry)
            if dry_run:
                return Result(target, tuple(_foreseen(entry, parts, {} if force else publisher.recorded())), left_out)
            done = publisher.publish(parts, force, advance) if parts else []
            fingerprints = {part.name: part.fingerprint for part in parts}
            if tables is None or set(tables) >= {part.table.name for part in parts}:
                _note(parts, target)
            published = (replace(one, fingerprint=fingerprints[one.table, one.region]) for one in done)
            return Result(target, tuple(published), left_out)
    except ClearerError as e:
        return Result(target, error=e)


def _regions(platform: Platform, target: Target, named: Collection[str] | None) -> list[str]:
    known = platform.registry.regions_of(target)
    for name in named or ():
        if name not in known:
            raise UnknownName(f"region of targets.{target.name}", name, known)
    return [name for name in known if named is None or name in named]


def _parts(
    platform: Platform, target: Target, regions: list[str], tables: Collection[str] | None, stack: ExitStack
) -> tuple[list[Part], tuple[str, ...]]:
    """What is to be published, each region's as it is served now; and what has not been built yet."""
    parts: list[Part] = []
    left_out: list[str] = []
    for region in regions:
        chosen = [t for t in wanted(platform, target, region) if tables is None or t.name in tables]
        try:
            gold = stack.enter_context(reading.opened(platform, region))
        except NotBuilt as e:
            left_out.append(e.message)
            continue
        for table in chosen:
            if gold.has(table):
                parts.append(Part(table, gold, gold.figures(table), gold.content(table, target.mode)))
            else:
                left_out.append(f"{table.name} has not been built for {region}")
    return parts, tuple(left_out)


def _note(parts: Sequence[Part], target: str) -> None:
    """Write down in each region's own folder which of its gold was published: whoever looks need not ask the target."""
    for gold in {part.gold.region: part.gold for part in parts}.values():
        publish_bytes(json.dumps({"gold": gold.fingerprint}).encode(), gold.work / f"{target}.json")


def _foreseen(target: Target, parts: list[Part], recorded: Recorded) -> list[Published]:
    return [
        Published(target.name, *part.name, part.figures.rows, is_new=recorded.get(part.name) != part.fingerprint)
        for part in parts
    ]


def _publisher(platform: Platform, target: Target) -> Publisher:
    """What publishes to targets of this kind; a kind's libraries are loaded only where it is used."""
    if isinstance(target, DatabaseTarget):
        if target.kind == "postgresql":
            from clearer_platform.serving.publishing import postgresql as kind
        else:
            from clearer_platform.serving.publishing import sql as kind  # type: ignore[no-redef]
        return Publisher(
            lambda parts, force, advance: kind.publish(target, parts, force=force, advance=advance),
            lambda: kind.recorded(target),
        )
    if target.kind == "csv":
        from clearer_platform.serving.publishing import csv_files as files
    else:
        from clearer_platform.serving.publishing import delta as files  # type: ignore[no-redef]
    return Publisher(
        lambda parts, force, advance: files.publish(platform, target, parts, force=force, advance=advance),
        lambda: files.recorded(platform, target),
    )
