"""Everything together, with real gold: landing files in, branch performance out, read back through Dagster."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform.definitions import build_defs
from clearer_platform.defs.runs import RunOutcome, instance, materialize
from clearer_platform.platform import Platform
from clearer_platform_tests.conftest import open_home
from clearer_platform_tests.defs.conftest import HEADER, REGISTRY, day, keys, sales


@dataclass
class Chain:
    """Two runs of a home: three days of a region, then a fourth whose file holds a late row for the first."""

    platform: Platform
    instance: dg.DagsterInstance
    defs: dg.Definitions
    first: RunOutcome
    second: RunOutcome


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path) -> Iterator[Chain]:
    """The home after both runs."""
    platform = open_home(tmp_path_factory.mktemp("whole"), REGISTRY, prepared_dbt)
    landing = Path(platform.layout("south").landing("transactions"))
    landing.mkdir(parents=True)
    for number in range(3):
        (landing / f"sales-{day(number)}.csv").write_text(sales(day(number), count=5, bad=1))
    with instance(platform) as own:
        (first,) = materialize(platform, own, {"south": [day(n) for n in range(3)]})
        late = f"LATE,{day(0)} 12:00:00,B1,Main,C2,100.00,1,Completed,P1,1.00\n"
        (landing / f"sales-{day(3)}.csv").write_text(f"{HEADER}\n{late}")
        (second,) = materialize(platform, own, {"south": [day(3)]})
        yield Chain(platform, own, build_defs(platform), first, second)


def test_it_ends_well(chain: Chain) -> None:
    """No day failed, and the late row re-stated the day that it belongs to, and no other."""
    assert not chain.first.failed
    assert not chain.second.failed
    assert chain.first.published == tuple(day(n) for n in range(3))
    assert chain.second.published == (day(3),)
    assert chain.second.restated == (day(0),)


def test_every_asset_of_the_region_is_materialised(chain: Chain) -> None:
    """Every day of every model with days, every whole model, and whatever spans regions."""
    for key in sorted(key.to_user_string() for key in chain.defs.resolve_all_asset_keys()):
        found = chain.instance.get_materialized_partitions(dg.AssetKey(key.split("/")))
        node = chain.defs.resolve_asset_graph().get(dg.AssetKey(key.split("/")))
        if not node.is_materializable:
            continue  # what was set aside is observed
        if node.partitions_def is None:
            assert chain.instance.get_latest_materialization_event(node.key), key
        elif isinstance(node.partitions_def, dg.StaticPartitionsDefinition):
            assert found == {"south"}, key
        else:
            assert found == set(keys("south", *(day(n) for n in range(4)))), key


def test_the_figures_read_back_are_right(chain: Chain) -> None:
    """Four good rows of 10.50 a day; the late row adds to its day."""
    load = chain.defs.load_asset_value
    frame = load(["gold", "branch_performance_daily"], partition_key=f"{day(1)}|south")
    assert frame["revenue"].tolist() == [Decimal("42.00")]
    restated = load(["gold", "branch_performance_daily"], partition_key=f"{day(0)}|south")
    assert restated["revenue"].tolist() == [Decimal("142.00")]
    assert load(["gold", "branch_performance"], partition_key="south")["transactions"].tolist() == [13]
    assert set(load(["global", "branch_performance"])["region"]) == {"south"}


def test_dbts_tests_are_checks_by_partition(chain: Chain) -> None:
    """Every one of a model with days passed for the days of the run."""
    history = chain.instance.event_log_storage.get_asset_check_execution_history
    specs = [s for d in chain.defs.assets or [] for s in d.check_specs]  # type: ignore[union-attr]
    tests = [s for s in specs if s.asset_key.path == ["gold", "branch_performance_daily"]]
    assert tests
    for spec in tests:
        found = {(r.partition, r.status.value) for r in history(spec.key, limit=50)}
        assert found == {(key, "SUCCEEDED") for key in keys("south", *(day(n) for n in range(4)))}


def test_versions_of_unchanged_days_stay(chain: Chain) -> None:
    """The re-stated day has a new version, the others were not touched."""
    events = chain.instance.fetch_materializations(dg.AssetKey(["gold", "branch_performance_daily"]), limit=50).records
    versions: dict[str | None, set[str]] = {}
    for event in events:
        materialization = event.asset_materialization
        assert materialization
        versions.setdefault(materialization.partition, set()).add(materialization.tags["dagster/data_version"])
    assert {key: len(found) for key, found in versions.items()} == {
        key: 2 if key.startswith(str(day(0))) else 1 for key in keys("south", *(day(n) for n in range(4)))
    }
