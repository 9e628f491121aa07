"""The dbt project itself: documented, in step with the contracts, and its unit tests."""

import re
import shutil
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.contracts import Personal
from clearer_platform.gold.dbt import invoke
from clearer_platform.gold.project import described, prepare
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import accepted_columns
from clearer_platform.storage import local
from clearer_platform_tests.gold.conftest import DAY
from clearer_platform_tests.gold.silver_files import open_platform, put
from clearer_platform_tests.gold.store_pictures import put_picture
from clearer_platform_tests.gold.test_part_by_part import WITH_STORES


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path) -> Platform:
    """A platform whose every model dbt has built: a region delivered for all tables, if no row."""
    platform = open_platform(tmp_path_factory.mktemp("whole") / "home", WITH_STORES, prepared_dbt)
    put_picture(platform, "eu", DAY, [])
    for table in platform.tables("eu"):
        if not platform.family(table)[1:] and not platform.contract(table).nested:
            put(platform, "eu", table, DAY, [])
    gold.build(platform, "eu")
    gold.build_global(platform)
    return platform


def test_dbt_unit_tests_pass(whole: Platform, tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    shutil.copy(local(whole.layout("eu").warehouse), database)
    outcome = invoke(
        prepare(whole),
        whole.settings,
        database,
        ["test", "--select", "test_type:unit"],
        {"contracts": described(whole.contracts)},
        target=tmp_path / "target",
    )
    assert outcome.exception is None
    results = {result.node.name: str(result.status) for result in outcome.result.results}
    assert len(results) >= 4
    assert set(results.values()) == {"pass"}, [r.message for r in outcome.result.results]


def test_documented_columns_are_the_columns_there_are(whole: Platform) -> None:
    """Names, order and types; every model and every column says what it is."""
    for region, layer in (("eu", "gold"), (None, "global")):
        with gold.connect(whole, region) as connection:
            for model in gold.models(whole):
                if model.layer != layer:
                    continue
                arguments = "('UTC')" if model.materialized == "table_function" else ""
                found = connection.execute(f'describe from "{layer}".{model.alias}{arguments}').fetchall()
                documented = [
                    (name, re.sub("timestamptz", "timestamp with time zone", t)) for name, t, _ in model.columns
                ]
                assert [(name, dtype.lower()) for name, dtype, *_ in found] == documented, model.name
                assert model.description and all(text for _, _, text in model.columns), model.name


def test_columns_taken_over_keep_the_type_of_their_contract(built: Platform) -> None:
    """dbt's own check of decimals does not look at their scale: money would be rounded without a word."""
    marts = {
        "fct_transactions": "transactions",
        "fct_conversations": "conversations",
        "dim_products": "products",
        "fct_hires": "hired_employees",
    }
    compared = 0
    for model in gold.models(built):
        if model.name in marts:
            contract = dict(accepted_columns(built.contract(marts[model.name])))
            for name, dtype, _ in model.columns:
                if name in contract:
                    expected = contract[name].lower().replace("timestamp with time zone", "timestamptz")
                    assert dtype == expected, (model.name, name)
                    compared += 1
    assert compared > 20


def test_no_model_names_a_direct_identifier(built: Platform) -> None:
    for table, contract in built.contracts.items():
        for model in gold.models(built):
            if table in model.depends_on_tables:
                names = {name for name, _, _ in model.columns}
                assert not names & {*contract.personal(Personal.DIRECT), *contract.personal(Personal.IDENTIFIER)}


def test_models_say_what_they_are_made_from(built: Platform) -> None:
    by_name = {model.name: model for model in gold.models(built)}
    daily = by_name["branch_performance_daily"]
    assert (daily.layer, daily.day_column, daily.leaves) == ("gold", "day", "aggregates")
    assert daily.depends_on_models == ("fct_conversations", "fct_transactions")
    assert by_name["fct_transactions"].depends_on_tables == ("fx_rates", "transactions")
    assert by_name["global_branch_performance"].depends_on_models == ("branch_performance",)
    assert by_name["branch_performance"].day_column is None
    assert ("branch_performance_adds_up", "error") in by_name["branch_performance"].tests
    assert list(by_name).index("fct_transactions") < list(by_name).index("branch_performance_daily")


def test_a_trimmed_project_has_some_of_the_models_as_they_are(built: Platform, branches: Platform) -> None:
    """What tests of other things build in its place: all that the models need, and every test of them alone."""
    whole, few = (prepare(platform).manifest["nodes"] for platform in (built, branches))
    for name, node in few.items():
        assert {**node, "created_at": 0, "build_path": ""} == {**whole[name], "created_at": 0, "build_path": ""}
    above = {other for node in few.values() for other in node["depends_on"]["nodes"] if other in whole}
    models = {name for name in few if name.startswith("model.")}
    assert (
        above <= models == above | {"model.clearer.branch_performance", "model.clearer.global_branch_performance_daily"}
    )
    for name in whole.keys() - few.keys():
        if name.startswith("test."):
            assert not models.issuperset(whole[name]["depends_on"]["nodes"]), name
