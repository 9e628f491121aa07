"""What is to be published to a target, what may be, and what came of it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from clearer_platform.errors import ClearerError, PublishError, UnknownName
from clearer_platform.gold import Model, forms, models
from clearer_platform.platform import Platform
from clearer_platform.regions import Target
from clearer_platform.serving.publishing.reading import Figures, Gold
from clearer_platform.serving.publishing.tables import Table, table_of

Advance = Callable[[str, str, int, int], None]
"""Says of which target, what is being done, how many tables are done, and of how many."""


@dataclass(frozen=True)
class Part:
    """What is published by itself: one region's rows of a table, or all of a table that is built across regions."""

    table: Table
    gold: Gold
    figures: Figures
    fingerprint: str
    """Of the content; what a target has recorded under the same is there already."""

    @property
    def name(self) -> tuple[str, str | None]:
        """Table and region; None where it is built across regions."""
        return self.table.name, self.gold.region

    @property
    def record(self) -> tuple[str, str]:
        """What a target records it under: table and region, or `global`."""
        return self.table.name, self.gold.scope

    def __str__(self) -> str:
        return f"{self.table.name} of {self.gold.region}" if self.gold.region else self.table.name


@dataclass(frozen=True)
class Published:
    """What came of one part: how its rows in the target differ from before."""

    target: str
    table: str
    region: str | None
    """None: built across regions."""
    rows: int
    """Rows of gold; the target held just these afterwards, and their sums (in mode upsert beside older ones)."""
    added: int = 0
    changed: int = 0
    removed: int = 0
    is_new: bool = True
    """False where this very content was there already, and nothing was done."""
    seconds: float = 0.0
    fingerprint: str = ""
    """Of the content."""
    figures: Figures | None = None
    """What was found in the target and is equal to gold's."""

    @property
    def unchanged(self) -> int:
        """Rows that stayed as they were."""
        return self.rows - self.added - self.changed


@dataclass(frozen=True)
class Result:
    """What came of publishing to one target: all of it, or nothing of it and an error."""

    target: str
    published: tuple[Published, ...] = ()
    left_out: tuple[str, ...] = ()
    """What has not been built yet."""
    error: ClearerError | None = None


def wanted(platform: Platform, target: Target, region: str | None) -> list[Table]:
    """The tables of `region` that the target names, or (None) those that are built across regions.

    Raises PublishError for one that may not be published there, or that has no key in mode upsert; UnknownName for one
    that is not.
    """
    tables = [table_of(model) for model in _chosen(platform, target, region)]
    for table in tables:
        if target.mode == "upsert" and not table.key:
            raise PublishError(
                f"targets.{target.name}: {table.name} has no key by which rows could be told apart in mode upsert",
                hint='give its model a unique key of columns that are never null, or say mode = "replace"',
            )
    return tables


def possible(platform: Platform, target: Target) -> dict[str, Table]:
    """Every table that is published to the target, by name. Raises what `wanted` raises."""
    return {
        table.name: table
        for region in (*platform.registry.regions_of(target), None)
        for table in wanted(platform, target, region)
    }


def _chosen(platform: Platform, target: Target, region: str | None) -> list[Model]:
    matches = _matches(platform, target)
    layer = "gold" if region else "global"
    found = {model.name: model for models in matches.values() for model in models if model.layer == layer}
    if region is None:
        return list(found.values()) if _is_for_all(platform, target) else []
    allowed = forms(platform, region)
    for pattern in set(target.tables) & set(found):
        _check_may_leave(platform, target, region, found[pattern], allowed)
    chosen = [model for model in found.values() if model.leaves in allowed]
    if found and not chosen:
        raise PublishError(
            f"targets.{target.name}: nothing that {region} lets leave is named {' or '.join(target.tables)}",
            hint="`meta: {leaves: aggregates}` in a model's YAML lets it leave",
        )
    return chosen


def _matches(platform: Platform, target: Target) -> dict[str, list[Model]]:
    """The models that each pattern of the target names, of regions and across them."""
    known = {m.name: m for m in models(platform) if m.materialized != "table_function"}
    matches = {
        pattern: [model for name, model in known.items() if fnmatchcase(name, pattern)] for pattern in target.tables
    }
    for pattern, named in matches.items():
        if not named:
            raise UnknownName(f"table in targets.{target.name}.tables", pattern, list(known))
        if all(model.layer == "global" for model in named) and not _is_for_all(platform, target):
            raise PublishError(
                f"targets.{target.name}: {pattern} is built across all regions,"
                f" and the target is for {' and '.join(target.regions)} alone",
                hint="take it out of `tables`, or leave `regions` out",
            )
    return matches


def _is_for_all(platform: Platform, target: Target) -> bool:
    """Whether what holds rows of every region may be published to the target."""
    return set(platform.registry.regions_of(target)) == set(platform.registry.regions)


def _check_may_leave(platform: Platform, target: Target, region: str, model: Model, allowed: Collection[str]) -> None:
    """Raise PublishError, with what to do, where the model may not be read outside the region."""
    if model.leaves in allowed:
        return
    what = f"targets.{target.name}: {model.name} may not leave {region}"
    if model.leaves is None:
        hint = f"let it, by `meta: {{leaves: aggregates}}` (or pseudonyms) in {model.path.removesuffix('.sql')}.yml,"
        raise PublishError(f"{what}: its model does not say that it leaves", hint=f"{hint} or take it out of `tables`")
    raise PublishError(
        f"{what}: it holds {model.leaves}, and the region lets {platform.region(region).leaves} leave",
        hint=f'say leaves = "{model.leaves}" in regions.{region}, or take it (or the region) out of the target',
    )


def check(target: Target, part: Part, found: Figures, *, is_whole: bool = True) -> None:
    """Raise PublishError where the target does not hold what gold says; nothing is published then.

    `is_whole`: every row was compared, and not those alone that changed in gold.
    """
    if found == part.figures:
        return
    theirs, ours = dict(found.sums), dict(part.figures.sums)
    differing = [f"{name} {theirs[name]} for {ours[name]}" for name in ours if theirs[name] != ours[name]]
    if found.rows != part.figures.rows:
        differing.insert(0, f"{found.rows:,} rows for {part.figures.rows:,}")
    raise PublishError(
        f"targets.{target.name}: {part} would not equal gold: {', '.join(differing)}",
        hint="nothing was published; see whether triggers, rules or somebody else change the table"
        if is_whole
        else "nothing was published; somebody else changed the table: `clearer publish --force` compares every row",
    )
