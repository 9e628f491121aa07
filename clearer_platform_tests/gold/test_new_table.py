"""A new table is one contract and one dbt model."""

import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.platform import Platform
from clearer_platform.settings import PROJECT
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform, put

CONTRACT = '''
from pandera.ibis import DataFrameModel, Field
from clearer_platform.contracts import Contract, LoadMode

class LoyaltyPoints(DataFrameModel):
    """Points that customers collected."""

    account: str = Field(description="Account.")
    version: int = Field(description="Counts the changes of an account.")
    points: int = Field(description="Points.")

LOYALTY_POINTS = Contract(
    name="loyalty_points", domain="ecommerce", model=LoyaltyPoints, key=("account",),
    load_mode=LoadMode("{mode}"), ordering=("version",) if "{mode}" == "upsert" else (),
)
'''
MODEL = "select _region as region, account, points from {{ latest_versions('points_{mode}') }}\n"
DOCUMENTED = """
version: 2
models:
  - name: loyalty_{mode}
    description: Points of every account.
    columns:
      - {name: region, data_type: varchar, description: Region.}
      - {name: account, data_type: varchar, description: Account.}
      - {name: points, data_type: bigint, description: Points.}
"""
FIRST, SECOND, THIRD = date(2024, 10, 1), date(2024, 10, 2), date(2024, 10, 3)
EXPECTED = {"upsert": {"a": 3, "b": 5}, "append": {"a": 1, "b": 2}, "full": {"a": 9, "b": 5}}
"""By load mode. The row of `a` that comes last says less in its ordering column than the one before it."""
AFTER_AN_EMPTY_DAY = {**EXPECTED, "full": {}}


@pytest.fixture
def platform(tmp_path: Path, prepared_dbt: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform that knows a new table of each load mode, beside what the package has."""
    monkeypatch.syspath_prepend(str(tmp_path))
    project, registry = tmp_path / "dbt", REGIONS
    shutil.copytree(PROJECT / "dbt", project, ignore=shutil.ignore_patterns("target", "logs"))
    for mode in EXPECTED:
        contract = CONTRACT.replace("{mode}", mode).replace("loyalty_points", f"points_{mode}")
        (tmp_path / f"loyalty_{mode}.py").write_text(contract)
        for text, ending in ((MODEL, "sql"), (DOCUMENTED, "yml")):
            (project / f"models/marts/ecommerce/loyalty_{mode}.{ending}").write_text(text.replace("{mode}", mode))
        registry += f"points_{mode} = {{}}\n"
    modules = tuple(f"loyalty_{mode}" for mode in EXPECTED)
    yield open_platform(tmp_path / "home", registry, prepared_dbt, dbt_project=project, contract_modules=modules)
    for module in modules:
        sys.modules.pop(module, None)


def points(platform: Platform) -> dict[str, dict[str, int]]:
    """What each new mart says of each account."""
    gold.build(platform, "us")
    with gold.connect(platform, "us") as connection:
        return {
            mode: dict(connection.execute(f"select account, points from gold.loyalty_{mode}").fetchall())
            for mode in EXPECTED
        }


def row(account: str, version: int, number: int) -> dict[str, object]:
    return {"account": account, "version": version, "points": number}


def test_one_contract_and_one_model(platform: Platform) -> None:
    """For facts, for what may change and for pictures; an empty day empties a picture."""
    for mode in EXPECTED:
        put(platform, "us", f"points_{mode}", FIRST, [row("a", 1, 1), row("b", 1, 2)])
        put(platform, "us", f"points_{mode}", FIRST, [row("a", 7, 3)], slot="b.csv")
        put(platform, "us", f"points_{mode}", SECOND, [row("a", 2, 9), row("b", 2, 5)])
    assert points(platform) == EXPECTED
    models = {model.name: model for model in gold.models(platform)}
    for mode in EXPECTED:
        model = models[f"loyalty_{mode}"]
        assert (model.depends_on_tables, model.leaves) == ((f"points_{mode}",), None)
        put(platform, "us", f"points_{mode}", THIRD, [], received=datetime(2024, 10, 3, tzinfo=UTC))
    assert points(platform) == AFTER_AN_EMPTY_DAY
