"""Law 5: planted values of high entropy, in every personal column, good rows and bad, are found nowhere outside.

Everything runs: delivery, validation, gold, the global build, the orchestrator with its logs and metadata, the command
line's messages. Then every file outside the region's root is searched, and every table in it row by row.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from clearer_platform import gold
from clearer_platform.contracts import Contract
from clearer_platform.platform import Platform
from clearer_platform_tests.flow import DAY, deliver, query

GOOD = {
    "customers": {"gender": "F", "birth_date": "01.02.1980", "area": "North", "email": "{}@example.org"},
    "transactions": {
        "ordered_at": "31.03.2024 10:00:00",
        "total_amount": "1,00",
        "price": "1,00",
        "status_value": "Completed",
        "quantity": "1",
    },
    "conversations": {
        "inserted_at": "31.03.2024 10:00:00",
        "has_phone": "true",
        "is_hidden": "false",
        "is_removed": "false",
        "like_count": "1",
    },
}
BAD = {
    "customers": {"area": "Nowhere", "birth_date": "31.02.1980"},
    "transactions": {"total_amount": "-1,00"},
    "conversations": {"like_count": "-1"},
}


class Planted:
    """Makes values and remembers them."""

    def __init__(self) -> None:
        self.values: list[str] = []

    def value(self) -> str:
        self.values.append(f"zz{secrets.token_hex(12)}")
        return self.values[-1]

    def row(self, contract: Contract, names: list[str], fixed: dict[str, str]) -> str:
        return ";".join(self.cell(contract, name, fixed.get(name)) for name in names)

    def cell(self, contract: Contract, name: str, fixed: str | None) -> str:
        if fixed is not None:
            return fixed.format(self.value()) if "{}" in fixed else fixed
        return self.value() if name in contract.personal() else f"{name}-x"


def plant(platform: Platform) -> list[str]:
    """Deliveries whose personal values, and whose broken records, are all planted."""
    planted = Planted()
    for table, good in GOOD.items():
        contract = platform.contract(table)
        names = [c.name for c in contract.columns if c.name != "is_deleted"]
        rows = [planted.row(contract, names, good) for _ in range(20)]
        rows += [planted.row(contract, names, {**good, **BAD[table]}) for _ in range(2)]
        rows.append(f"{planted.value()};too few fields")
        deliver(platform, "eu", table, "\n".join([";".join(names), *rows]) + "\n", slot=f"{table}-{DAY}.csv")
    deliver(
        platform, "eu", "customers", f"{planted.value()};not;a;header\n{planted.value()};1;2;3\n", slot="broken.csv"
    )
    return planted.values


def outside(platform: Platform) -> Iterator[Path]:
    """Every file of the home that is not in the region's root."""
    home, root = platform.settings.home.resolve(), platform.layout("eu").root
    for path in home.rglob("*"):
        if path.is_file() and not path.is_relative_to(root):
            yield path


def texts_of_tables(path: Path) -> Iterator[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.sql("select table_schema, table_name from information_schema.tables").fetchall()
        for schema, table in tables:
            for row in connection.sql(f'select columns(*)::varchar from "{schema}"."{table}"').fetchall():
                yield repr(row)


def assert_absent(values: list[str], text: str | bytes, where: object) -> None:
    for value in values:
        assert (value if isinstance(text, str) else value.encode()) not in text, f"a planted value stands in {where}"


@pytest.mark.timeout(300)
def test_planted_values_stay_in_their_region(platform, capfd, caplog):
    from clearer_platform.defs.runs import instance, materialize

    values = plant(platform)
    with instance(platform) as dagster:
        materialize(platform, dagster, {"eu": [DAY]})
        for record in dagster.all_logs(dagster.get_runs()[0].run_id):
            assert_absent(values, repr(record), "the run's events")

    served = query(platform, "eu", "select count(*) as n from gold.dim_customers").to_pylist()
    assert served == [{"n": 20}], "the flow did not run: the law was not tested"
    left = query(platform, None, "select count(*) as n from global.customers").to_pylist()
    assert left == [{"n": 20}], "nothing left the region: the law was not tested"

    searched = 0
    for path in outside(platform):
        assert_absent(values, path.read_bytes(), path)
        searched += 1
    assert searched > 5
    for text in texts_of_tables(platform.global_layout.warehouse):
        assert_absent(values, text, "the global warehouse")
    printed = capfd.readouterr()
    assert_absent(values, printed.out + printed.err + caplog.text, "what was printed and logged")


def test_marts_hold_no_identifier_and_no_direct_personal_value(platform):
    from clearer_platform_tests.flow import run

    values = plant(platform)
    run(platform, "eu")
    with gold.connect(platform, "eu") as connection:
        tables = connection.sql(
            "select table_name from information_schema.tables where table_schema = 'gold' and table_type = 'BASE TABLE'"
        ).fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            for row in connection.sql(f"select columns(*)::varchar from gold.{table}").fetchall():
                assert_absent(values, repr(row), f"gold.{table}")
