"""Gold in a run: building a region's warehouse and the global one, and reporting every partition that it re-stated."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import dagster as dg

from clearer_platform import gold
from clearer_platform.defs import figures, looks
from clearer_platform.defs.marts import key_of
from clearer_platform.defs.names import GLOBAL, GOLD, check_name, is_partition, partition_key
from clearer_platform.defs.reporting import Events, Run, Trouble
from clearer_platform.defs.tables import RegionTables
from clearer_platform.errors import ClearerError
from clearer_platform.gold import Build, Extent, GoldFailed, Model, TestResult

Previews = Mapping[tuple[str, date | None], dg.MetadataValue[Any]]


def build_days(run: Run, tables: RegionTables) -> Events:
    """Bring a region's warehouse up to date; report the run's days, every other day it re-stated, and whole models."""
    region, days = tables.region, tables.days
    build, tests = _built(run, region, days)
    yield from _checked(run.marts.days, tests, [partition_key(region, day) for day in days])
    yield from _checked(run.marts.wholes, tests, [region])
    if build is None:
        return
    elsewhere = [day for day in build.restated if day not in days and is_partition(run.platform.registry, day)]
    found = figures.by_day(run.platform, region, run.marts.days, [*days, *elsewhere])
    seen = looks.previews(run.platform, region, run.marts.days, [*days, *elsewhere])
    for model in run.marts.days:
        asked = days if run.reporter.selected(key_of(model)) else sorted({*build.restated} & {*days})
        for day in asked:
            yield from _day(run, tables, model, day, found, seen, is_asked=run.reporter.selected(key_of(model)))
    # Afterwards: what Dagster notes as the version that a model was made from is the latest that it was told.
    for model in run.marts.days:
        for day in elsewhere:
            yield from _day(run, tables, model, day, found, seen, is_asked=False)
    yield from _wholes(run, region)


def build_wholes(run: Run, region: str) -> Events:
    """Bring a region's warehouse up to date; report the models that are one partition a region."""
    build, tests = _built(run, region, [])
    yield from _checked(run.marts.wholes, tests, [region])
    if build is not None:
        yield from _wholes(run, region)


def build_globals(run: Run) -> Events:
    """Bring the global warehouse up to date with what each region lets leave."""
    build, tests = _built(run, None, [])
    yield from _checked(run.marts.globals, tests, [None])
    if build is not None:
        yield from _wholes(run, None)


def _built(run: Run, region: str | None, days: list[date]) -> tuple[Build | None, tuple[TestResult, ...]]:
    """Run the build; no Build, and troubles, where what is served stayed as it was. The tests are told either way."""
    name = region or GLOBAL
    run.progress(name, "build", 0, 1)
    try:
        build = gold.warm.build(run.platform, region, extent=Extent(as_of=run.as_of))
    except ClearerError as e:
        _not_built(run, region, days, e)
        return None, e.tests if isinstance(e, GoldFailed) else ()
    run.progress(name, "build", 1, 1)
    return build, build.tests


def _not_built(run: Run, region: str | None, days: list[date], error: ClearerError) -> None:
    layer = GOLD if region else GLOBAL
    where: list[date | None] = [*days] or [None]
    run.reporter.troubles += [
        Trouble(layer, region or GLOBAL, day, layer, error.message, error.hint, may_pass=error.may_pass)
        for day in where
    ]


def _day(
    run: Run,
    tables: RegionTables,
    model: Model,
    day: date,
    found: dict[tuple[str, date], figures.Figures],
    seen: Previews,
    is_asked: bool,
) -> Events:
    """Report one day of a model, or say what stands in its way."""
    if obstacle := tables.obstacle(run.marts.tables(model), day):
        if is_asked:
            asset = "/".join(key_of(model).path)
            table, reason = obstacle
            run.reporter.troubles.append(Trouble(asset, tables.region, day, table, reason, is_consequence=True))
        return
    content = found.get((model.name, day), figures.NOTHING)
    metadata = {"dagster/partition_row_count": content.rows, **_as_of(content), **_preview(seen, model, day)}
    partition = partition_key(tables.region, day)
    yield run.reporter.published(key_of(model), partition, metadata, content.version, run.marts.code_version(model))


def _wholes(run: Run, region: str | None) -> Events:
    """Report the models without a day, of a region or of all."""
    models = run.marts.globals if region is None else run.marts.wholes
    found = figures.whole(run.platform, region, models)
    seen = looks.previews(run.platform, region, models)
    for model in models:
        content = found[model.name]
        metadata = {"dagster/row_count": content.rows, **_as_of(content), **_preview(seen, model, None)}
        yield run.reporter.published(key_of(model), region, metadata, content.version, run.marts.code_version(model))


def _checked(
    models: Iterable[Model], tests: Collection[TestResult], partitions: Collection[str | None]
) -> Iterator[dg.AssetCheckEvaluation]:
    """What dbt's tests said, for each partition that the build was run for; failed ones last: the UI shows the last."""
    by_name = {model.name: model for model in models}
    for test in sorted(tests, key=lambda t: not t.passed):
        if model := by_name.get(test.model):
            for partition in partitions:
                yield dg.AssetCheckEvaluation(
                    asset_key=key_of(model),
                    check_name=check_name(test.name),
                    passed=test.passed,
                    partition=partition,
                    metadata={"failing_rows": test.failures, "message": test.message},
                    severity=dg.AssetCheckSeverity.WARN if test.severity == "warn" else dg.AssetCheckSeverity.ERROR,
                )


def _as_of(content: figures.Figures) -> dict[str, str]:
    return {"as_of": f"{content.as_of}"} if content.as_of else {}


def _preview(seen: Previews, model: Model, day: date | None) -> dict[str, dg.MetadataValue[Any]]:
    return {"preview": seen[model.name, day]} if (model.name, day) in seen else {}
