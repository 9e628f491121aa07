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
    """One table of one region, to be published."""

    table: Table
    gold: Gold
    figures: Figures
    fingerprint: str
    """Of the content; what a target has recorded under the same is there already."""

    @property
    def name(self) -> tuple[str, str]:
        """Table and region."""
        return self.table.name, self.gold.region


@dataclass(frozen=True)
class Published:
    """What came of one table of one region: how its rows in the target differ from before."""

    target: str
    table: str
    region: str
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


def wanted(platform: Platform, target: Target, region: str) -> list[Table]:
    """The tables of `region` that the target names.

    Raises PublishError for one that may not leave, or that has no key in mode upsert; UnknownName for one that is not.
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
    """Every table that any of its regions publishes to the target, by name. Raises what `wanted` raises."""
    return {
        table.name: table
        for region in platform.registry.regions_of(target)
        for table in wanted(platform, target, region)
    }


def _chosen(platform: Platform, target: Target, region: str) -> list[Model]:
    known = {m.alias: m for m in models(platform) if m.layer == "gold" and m.materialized != "table_function"}
    allowed = forms(platform, region)
    found: dict[str, Model] = {}
    for pattern in target.tables:
        named = [model for name, model in known.items() if fnmatchcase(name, pattern)]
        if not named:
            raise UnknownName(f"table in targets.{target.name}.tables", pattern, list(known))
        if pattern in known:
            _check_may_leave(platform, target, region, known[pattern], allowed)
        found |= {model.alias: model for model in named if model.leaves in allowed}
    if not found:
        raise PublishError(
            f"targets.{target.name}: nothing that {region} lets leave is named {' or '.join(target.tables)}",
            hint="`meta: {leaves: aggregates}` in a model's YAML lets it leave",
        )
    return list(found.values())


def _check_may_leave(platform: Platform, target: Target, region: str, model: Model, allowed: Collection[str]) -> None:
    """Raise PublishError, with what to do, where the model may not be read outside the region."""
    if model.leaves in allowed:
        return
    what = f"targets.{target.name}: {model.alias} may not leave {region}"
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
        f"targets.{target.name}: {part.table.name} of {part.gold.region} would not equal gold: {', '.join(differing)}",
        hint="nothing was published; see whether triggers, rules or somebody else change the table"
        if is_whole
        else "nothing was published; somebody else changed the table: `clearer publish --force` compares every row",
    )
