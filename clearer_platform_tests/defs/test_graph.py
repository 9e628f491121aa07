"""The graph as such: what there is, from what it follows, and that it loads, or says clearly why it does not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from clearer_platform import gold
from clearer_platform.definitions import build_defs
from clearer_platform.defs.delivered import GATES, HISTORY
from clearer_platform.defs.marts import Marts
from clearer_platform.errors import RegistryError
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform_tests.defs.conftest import MODELS, Gold, Graph, day, model

Specs = dict[str, dg.AssetSpec]


@pytest.fixture
def specs(graph: Graph) -> Specs:
    """The assets by key."""
    return {spec.key.to_user_string(): spec for spec in graph.defs.resolve_all_asset_specs()}


def parents(graph: Graph, key: str) -> set[str]:
    """What stands directly before an asset."""
    node = graph.defs.resolve_asset_graph().get(dg.AssetKey(key.split("/")))
    return {parent.to_user_string() for parent in node.parent_keys}


def test_every_contract_and_model_is_an_asset_and_nothing_else_is(graph: Graph, specs: Specs) -> None:
    """Keys follow from contracts and models."""
    contracts = graph.platform.contracts
    tables = {f"silver/{table}" for table in contracts} | {f"bronze/{t}" for t, c in contracts.items() if not c.nested}
    assert set(specs) == tables | {f"{m.layer}/{m.alias}" for m in MODELS} | {"landing/set_aside"}


def test_the_graph_loads_whole(graph: Graph) -> None:
    """Jobs, resources and assets fit together, and nothing about it warns."""
    dg.Definitions.validate_loadable(graph.defs)
    names = {job.name for job in graph.defs.resolve_all_job_defs()}
    assert {"region_days", "silver_only", "gold_only", "region_models", "global_models"} <= names


@pytest.mark.filterwarnings("error")
def test_building_the_graph_warns_of_nothing(platform: Platform, built: Gold) -> None:
    """What is not final in Dagster is known and pinned; anything else would show here."""
    build_defs(platform)


def test_silver_assets_say_what_their_contracts_say(graph: Graph, specs: Specs) -> None:
    """Columns, owners, groups, versions and the place of the contract's code."""
    for name, contract in graph.platform.contracts.items():
        spec = specs[f"silver/{name}"]
        schema = spec.metadata["dagster/column_schema"]
        schema = getattr(schema, "value", schema)
        assert [(c.name, c.description) for c in schema.columns] == [(c.name, c.description) for c in contract.columns]
        assert {c.name for c in schema.columns if c.tags} == set(contract.personal())
        assert list(spec.owners) == list(contract.owners)
        assert spec.group_name == f"silver_{contract.domain}"
        assert contract.fingerprint.startswith(spec.code_version or "-")
        assert contract.description in (spec.description or "")
        (reference,) = getattr(spec.metadata["dagster/code_references"], "code_references")  # noqa: B009
        line = Path(reference.file_path).read_text("utf-8").splitlines()[reference.line_number - 1]
        assert contract.model.__name__ in line
        if contract.nested:
            assert parents(graph, f"silver/{name}") == {f"silver/{contract.nested.parent}"}
        else:
            assert parents(graph, f"silver/{name}") == {f"bronze/{name}"}
            assert parents(graph, f"bronze/{name}") == set()


def test_every_asset_is_presentable(specs: Specs) -> None:
    """A description, an owner, a kind, a group and a code version each."""
    for spec in specs.values():
        assert spec.description, spec.key
        assert spec.owners, spec.key
        assert spec.kinds, spec.key
        assert spec.code_version, spec.key
        assert (spec.group_name or "").startswith(f"{spec.key.path[0]}_"), spec.key


def test_gold_says_what_of_it_may_leave_its_region(specs: Specs) -> None:
    """And what spans regions says nothing: it has left already."""
    for one in MODELS:
        said = specs[f"{one.layer}/{one.alias}"].tags.get("leaves")
        assert said == (None if one.layer == "global" else one.leaves or "never")


def test_checks_follow_from_contracts_and_dbt_tests(graph: Graph) -> None:
    """Gates block, history warns, and dbt's tests are there under their names."""
    found = {key for definition in graph.defs.assets or [] for key in definition.check_keys}  # type: ignore[union-attr]
    contracts = {(f"silver/{table}", name) for table in graph.platform.contracts for name in (*GATES, *HISTORY)}
    tests = {(f"{m.layer}/{m.alias}", name) for m in MODELS for name, _ in m.tests}
    assert {(key.asset_key.to_user_string(), key.name) for key in found} == contracts | tests
    blocking = {
        spec.name
        for definition in graph.defs.assets or []
        for spec in definition.check_specs  # type: ignore[union-attr]
        if spec.blocking
    }
    assert blocking == set(GATES)


def test_days_stand_on_days_and_roll_ups_on_days(graph: Graph) -> None:
    """A day model shows the tables behind a whole model that it reads, so that no run waits for another."""
    assert parents(graph, "gold/sales") == {"silver/transactions", "silver/fx_rates", "silver/customers"}
    assert parents(graph, "gold/sales_total") == {"gold/sales"}
    assert parents(graph, "gold/dim_customers") == {"silver/customers"}
    assert parents(graph, "global/sales_total") == {"gold/sales_total"}


def test_partitions_of_a_roll_up_are_made_from_all_days_of_the_region(graph: Graph) -> None:
    """And one region's day makes that region's roll-up alone."""
    assets = graph.defs.resolve_asset_graph()
    days, total = assets.get(dg.AssetKey(["gold", "sales"])), assets.get(dg.AssetKey(["gold", "sales_total"]))
    assert days.partitions_def and total.partitions_def
    mapping = total.partition_mappings[days.key]
    subset = total.partitions_def.subset_with_partition_keys(["north"])
    upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(
        subset, total.partitions_def, days.partitions_def
    ).partitions_subset.get_partition_keys()
    assert {key.split("|")[1] for key in upstream} == {"north"}
    assert len(upstream) > 300


def test_the_region_that_is_first_into_a_day_has_a_partition_for_it(platform: Platform, built: Gold) -> None:
    """A day is a partition as soon as it has begun anywhere, and not before."""
    from datetime import UTC, datetime, timedelta

    from clearer_platform.defs.names import is_partition

    furthest = (datetime.now(UTC) + timedelta(hours=14)).date()
    assert is_partition(platform.registry, furthest)
    assert not is_partition(platform.registry, furthest + timedelta(days=2))
    assert not is_partition(platform.registry, day(-1))


def test_tables_behind_a_model_are_found_through_other_models(platform: Platform) -> None:
    """Through any number of them."""
    top = model("top", depends_on_models=("sales_total",))
    assert Marts(platform, [*MODELS, top]).tables(top) == {"transactions", "fx_rates", "customers"}


def test_a_table_macro_is_no_asset(platform: Platform) -> None:
    """It holds nothing that could be materialised."""
    marts = Marts(platform, [*MODELS, model("sales_in", materialized="table_function")])
    assert "sales_in" not in marts.models


def test_resources_can_be_replaced(platform: Platform, built: Gold) -> None:
    """By name, for tests and tools."""
    defs = build_defs(platform, progress=dg.ResourceDefinition.hardcoded_resource("mine"))
    assert {f"warehouse_{name}" for name in (*platform.registry.regions, "global")} <= set(defs.resources or {})
    assert (defs.resources or {})["progress"].resource_fn(None) == "mine"


def test_a_missing_registry_is_said_clearly(tmp_path: Path) -> None:
    """The settings are read when the definitions are asked for, not when the module is imported."""
    program = "import clearer_platform.definitions as d\nprint('imported')\nd.defs()"
    environment = {**os.environ, "CLEARER_HOME": str(tmp_path / "nowhere"), "CLEARER_REGIONS_FILE": ""}
    environment.pop("CLEARER_REGIONS_FILE")
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert "imported" in done.stdout
    last = done.stderr.strip().splitlines()
    assert any("RegistryError: there is no registry at" in line for line in last)
    assert "clearer sample" in last[-1]


def test_a_registry_that_cannot_be_used_names_the_entry(make_platform: Callable[..., Platform], tmp_path: Path) -> None:
    """The error is the platform's own, not one of Dagster's."""
    (tmp_path / "regions.toml").write_text('[regions.eu]\ntimezone = "Mars"\ncurrency = "EUR"\nroot = "eu"\n')
    with pytest.raises(RegistryError, match="Mars"):
        build_defs(Platform.open(Settings(home=tmp_path, _env_file=None)))  # type: ignore[call-arg]


def test_dagster_finds_the_definitions_by_the_module_name(
    platform: Platform, built: Gold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `workspace.yaml`, `dagster -m` and `clearer up` name it."""
    from dagster._core.workspace.autodiscovery import loadable_targets_from_python_module

    monkeypatch.setenv("CLEARER_HOME", str(platform.settings.home))
    (target,) = loadable_targets_from_python_module("clearer_platform.definitions", None)
    assert target.attribute == "defs"
    assert gold.models(platform)
