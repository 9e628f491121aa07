"""The dbt project itself: documented, in step with the contracts, and its unit tests."""

import re
import shutil
from pathlib import Path

from clearer_platform import gold
from clearer_platform.contracts import Personal
from clearer_platform.gold.dbt import invoke
from clearer_platform.gold.project import described, prepare
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import accepted_columns
from clearer_platform.storage import local


def test_dbt_unit_tests_pass(built: Platform, tmp_path: Path) -> None:
    database = tmp_path / "warehouse.duckdb"
    shutil.copy(local(built.layout("eu").warehouse), database)
    outcome = invoke(
        prepare(built),
        built.settings,
        database,
        ["test", "--select", "test_type:unit"],
        {"contracts": described(built.contracts)},
        target=tmp_path / "target",
    )
    assert outcome.exception is None
    results = {result.node.name: str(result.status) for result in outcome.result.results}
    assert len(results) >= 4
    assert set(results.values()) == {"pass"}, [r.message for r in outcome.result.results]


def test_documented_columns_are_the_columns_there_are(built: Platform) -> None:
    """Names, order and types; every model and every column says what it is."""
    for region, layer in (("eu", "gold"), (None, "global")):
        with gold.connect(built, region) as connection:
            for model in gold.models(built):
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
