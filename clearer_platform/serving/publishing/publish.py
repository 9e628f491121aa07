"""Publishing gold to targets: one publication a target, whole or not at all."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from clearer_platform.errors import ClearerError, NotBuilt, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.regions import DatabaseTarget, Target
from clearer_platform.serving.publishing import reading
from clearer_platform.serving.publishing.publication import Advance, Part, Published, Result, wanted
from clearer_platform.serving.publishing.tables import Table
from clearer_platform.storage import publish_bytes

Recorded = Mapping[tuple[str, str], str]
"""Record of a part -> fingerprint of what is there."""


Named = dict[str | None, list[Table]]
"""Region, or None across regions -> the tables that a target names of it."""


@dataclass(frozen=True)
class Publisher:
    """How gold is published to one kind of target."""

    publish: Callable[[Sequence[Part], bool, Advance], list[Published]]
    """Parts, whether also what is there already, and whom to tell: all of them, or an error and nothing."""
    recorded: Callable[[], Recorded]


def publish(
    platform: Platform,
    target: str,
    regions: Collection[str | None] | None = None,
    *,
    tables: Collection[str] | None = None,
    force: bool = False,
    dry_run: bool = False,
    advance: Advance = lambda target, table, done, total: None,
) -> Result:
    """Publish what `target` names of these regions, and of these tables alone if any are named.

    None among the regions is what is built across them; where none are named, everything of the target is published.
    What is there already is left as it is unless `force`d; a `dry_run` tells what there is to do and does nothing. What
    goes wrong with the target or what is published is in the result. Raises UnknownName for a target, or a region that
    is not published to it.
    """
    entry = platform.registry.target(target)
    try:
        with ExitStack() as stack:
            named = _named(platform, entry, _regions(platform, entry, regions))
            parts, left_out = _parts(platform, entry, named, tables, stack)
            publisher = _publisher(platform, entry)
            if dry_run:
                return Result(target, tuple(_foreseen(entry, parts, {} if force else publisher.recorded())), left_out)
            done = publisher.publish(parts, force, advance) if parts else []
            fingerprints = {part.name: part.fingerprint for part in parts}
            whole = {r for r, every in named.items() if tables is None or {t.name for t in every} <= {*tables}}
            _note(parts, target, whole)
            published = (replace(one, fingerprint=fingerprints[one.table, one.region]) for one in done)
            return Result(target, tuple(published), left_out)
    except ClearerError as e:
        return Result(target, error=e)


def _regions(platform: Platform, target: Target, named: Collection[str | None] | None) -> list[str | None]:
    known = platform.registry.regions_of(target)
    for name in filter(None, named or ()):
        if name not in known:
            raise UnknownName(f"region of targets.{target.name}", name, known)
    return [name for name in (*known, None) if named is None or name in named]


def _named(platform: Platform, target: Target, regions: list[str | None]) -> Named:
    return {region: tables for region in regions if (tables := wanted(platform, target, region))}


def _parts(
    platform: Platform, target: Target, named: Named, tables: Collection[str] | None, stack: ExitStack
) -> tuple[list[Part], tuple[str, ...]]:
    """What is to be published, each region's as it is served now; and what has not been built yet."""
    parts: list[Part] = []
    left_out: list[str] = []
    for region, every in named.items():
        chosen = [table for table in every if tables is None or table.name in tables]
        try:
            gold = stack.enter_context(reading.opened(platform, region))
        except NotBuilt as e:
            left_out.append(e.message)
            continue
        for table in chosen:
            if gold.has(table):
                parts.append(Part(table, gold, gold.figures(table), gold.content(table, target.mode)))
            else:
                left_out.append(f"{table.name} has not been built" + (f" for {region}" if region else " yet"))
    return parts, tuple(left_out)


def _note(parts: Sequence[Part], target: str, regions: Collection[str | None]) -> None:
    """Write down in the own folder of each of `regions` which of its gold was published, all that is named of it:
    whoever looks need not ask the target."""
    for gold in {part.gold.region: part.gold for part in parts if part.gold.region in regions}.values():
        publish_bytes(json.dumps({"gold": gold.fingerprint}).encode(), gold.work / f"{target}.json")


def _foreseen(target: Target, parts: list[Part], recorded: Recorded) -> list[Published]:
    return [
        Published(target.name, *part.name, part.figures.rows, is_new=recorded.get(part.record) != part.fingerprint)
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
