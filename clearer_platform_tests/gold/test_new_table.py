"""A new table is one contract and one dbt model."""

import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from clearer_platform import gold
from clearer_platform.platform import Platform
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
MODEL = "select _region as region, account, points from {{ latest_versions('loyalty_points') }}\n"
DOCUMENTED = """
version: 2
models:
  - name: loyalty
    description: Points of every account.
    columns:
      - {name: region, data_type: varchar, description: Region.}
      - {name: account, data_type: varchar, description: Account.}
      - {name: points, data_type: bigint, description: Points.}
"""
FIRST, SECOND = date(2024, 10, 1), date(2024, 10, 2)


def with_loyalty(tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform that knows the new table, beside what the package has."""
    (tmp_path / f"loyalty_{mode}.py").write_text(CONTRACT.replace("{mode}", mode))
    monkeypatch.syspath_prepend(str(tmp_path))
    project = tmp_path / "dbt"
    source = open_platform(tmp_path / "other").settings.dbt_project
    shutil.copytree(source, project, ignore=shutil.ignore_patterns("target", "logs"))
    (project / "models/marts/ecommerce/loyalty.sql").write_text(MODEL)
    (project / "models/marts/ecommerce/loyalty.yml").write_text(DOCUMENTED)
    registry = REGIONS + "loyalty_points = {}\n"
    return open_platform(tmp_path / "home", registry, dbt_project=project, contract_modules=(f"loyalty_{mode}",))


def points(platform: Platform) -> dict[str, int]:
    """What the new mart says of each account."""
    gold.build(platform, "us")
    with gold.connect(platform, "us") as connection:
        return dict(connection.execute("select account, points from gold.loyalty").fetchall())


def row(account: str, version: int, number: int) -> dict[str, object]:
    return {"account": account, "version": version, "points": number}


@pytest.mark.parametrize(
    ("mode", "expected", "after"),
    [
        ("upsert", {"a": 3, "b": 5}, {"a": 3, "b": 5}),
        ("append", {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        ("full", {"a": 9, "b": 5}, {}),
    ],
)
def test_one_contract_and_one_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, expected: dict[str, int], after: dict[str, int]
) -> None:
    """The last row says less in its ordering column; an empty day empties a picture."""
    platform = with_loyalty(tmp_path, mode, monkeypatch)
    try:
        put(platform, "us", "loyalty_points", FIRST, [row("a", 1, 1), row("b", 1, 2)])
        put(platform, "us", "loyalty_points", FIRST, [row("a", 7, 3)], slot="b.csv")
        put(platform, "us", "loyalty_points", SECOND, [row("a", 2, 9), row("b", 2, 5)])
        assert points(platform) == expected
        (model,) = [m for m in gold.models(platform) if m.name == "loyalty"]
        assert (model.depends_on_tables, model.leaves) == (("loyalty_points",), None)
        put(platform, "us", "loyalty_points", date(2024, 10, 3), [], received=datetime(2024, 10, 3, tzinfo=UTC))
        assert points(platform) == after
    finally:
        sys.modules.pop(f"loyalty_{mode}", None)
