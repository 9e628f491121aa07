"""The compiled checks: what is used of pandera's private parts, and that they judge as its pandas backend does."""

import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Optional

import ibis
import ibis.expr.datatypes as dt
import pandas as pd
import pandera
import pandera.ibis as pa
import pandera.pandas as pap
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandera.api.checks import Check
from pandera.ibis import IbisData

from clearer_platform.contracts import Contract, load_contracts
from clearer_platform.errors import ContractError
from clearer_platform.silver import rules
from clearer_platform.silver.rules import compiled
from clearer_platform_tests.silver.judging import THINGS, Region


class Wide(pa.DataFrameModel):
    """Every kind of built-in check on every kind of column, and checks on a row."""

    id: str = pa.Field(str_length={"min_value": 1, "max_value": 3}, description="d")
    kind: str = pa.Field(nullable=True, isin=["a", "b", "it's"], description="d")
    name: str = pa.Field(nullable=True, notin=["x", "y"], str_startswith="n", description="d")
    tag: str = pa.Field(nullable=True, str_contains="o", str_endswith="e", description="d")
    code: str = pa.Field(nullable=True, str_matches=r"^[a-c]+$", description="d")
    amount: dt.Decimal(9, 2) = pa.Field(nullable=True, ge=0, lt=100, description="d")  # type: ignore[valid-type]
    count: dt.int64 = pa.Field(nullable=True, in_range={"min_value": 1, "max_value": 5}, ne=3, description="d")
    day: dt.Date = pa.Field(nullable=True, gt=date(2024, 1, 1), le=date(2024, 12, 31), description="d")
    at: dt.Timestamp(timezone="UTC") = pa.Field(nullable=True, ge=datetime(2024, 6, 1, tzinfo=UTC), description="d")  # type: ignore[valid-type]
    flag: bool = pa.Field(nullable=True, eq=True, raise_warning=True, description="d")
    limit: Optional[dt.int64] = pa.Field(nullable=True, ge=0, description="d")

    @pa.check("amount", name="whole")
    @classmethod
    def whole(cls, data: Any) -> Any:
        """No cents."""
        return data.table[data.key] == data.table[data.key].round(0)

    @pa.dataframe_check(name="count_within_limit")
    @classmethod
    def count_within_limit(cls, data: Any) -> Any:
        """The count is at most the limit."""
        return data.table["count"] <= data.table["limit"]

    @pa.dataframe_check(name="named_when_flagged", raise_warning=True)
    @classmethod
    def named_when_flagged(cls, data: Any) -> Any:
        """Whatever is flagged has one of two kinds."""
        return ~data.table.flag | data.table.kind.isin(["a", "b"])


WIDE = Contract(name="wide", domain="test", model=Wide, key=("id",), max_rejected=1.0)
HAND_WRITTEN = {
    "whole": lambda s: s.map(lambda v: v == round(v)),
    "count_within_limit": lambda f: f["count"] <= f["limit"],
    "named_when_flagged": lambda f: ~f["flag"].astype(bool) | f["kind"].isin(["a", "b"]),
}
NEEDS = {"count_within_limit": ["count", "limit"], "named_when_flagged": ["flag", "kind"]}

texts = st.sampled_from(["", "a", "b", "it's", "n", "name", "x", "ooze", "one", "toe", "abc", "abcd", "nope", "d"])
instants = st.datetimes(datetime(2024, 5, 30), datetime(2024, 6, 3))
row = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["i", "id", "ids", "idss", "long id"]),
        "kind": texts,
        "name": texts,
        "tag": texts,
        "code": texts,
        "amount": st.one_of(st.just(""), st.decimals(-5, 105, places=2).map(str)),
        "count": st.one_of(st.just(""), st.integers(-1, 7).map(str)),
        "day": st.one_of(st.just(""), st.dates(date(2023, 12, 1), date(2025, 2, 1)).map(str)),
        "at": st.one_of(
            st.just(""),
            st.datetimes(datetime(2024, 5, 30), datetime(2024, 6, 3)).map(lambda d: f"{d:%Y-%m-%d %H:%M:%S}"),
        ),
        "flag": st.sampled_from(["", "true", "false"]),
        "limit": st.one_of(st.just(""), st.integers(-1, 4).map(str)),
    }
)


def by_pandas(contract: Contract, rows: list[dict[str, Any]]) -> dict[str, set[int]]:
    """Numbers of the rows that break each rule, by pandera's pandas backend and the contract's own checks."""
    frame = pd.DataFrame(rows, dtype=object)
    found: dict[str, set[int]] = {}
    for column in contract.columns:
        checks = [_twin(check) for check in column.checks]
        values = frame[column.name]
        found[f"{column.name}.missing"] = set() if column.nullable else set(frame.index[values.isna()])
        for check in checks:
            schema = pap.DataFrameSchema({column.name: pap.Column(None, check, nullable=True)})
            found[f"{column.name}.{check.name}"] = _failures(schema, frame[[column.name]])
    for check in contract.row_checks:
        complete = frame.dropna(subset=NEEDS[check.name])
        found[f"record.{check.name}"] = _failures(pap.DataFrameSchema(checks=_twin(check)), complete)
    return {rule: numbers for rule, numbers in found.items() if numbers}


def _twin(check: Check) -> Check:
    """The same check for pandas: built-in ones by name and arguments, hand-written ones by their pandas twin."""
    if check.name in HAND_WRITTEN:
        return pap.Check(HAND_WRITTEN[check.name], name=check.name, ignore_na=check.name == "whole")
    return getattr(pap.Check, check.name)(**check.statistics)


def _failures(schema: pap.DataFrameSchema, frame: pd.DataFrame) -> set[int]:
    try:
        schema.validate(frame, lazy=True)
    except pap.errors.SchemaErrors as e:
        assert set(e.failure_cases["schema_context"]) <= {"Column", "DataFrameSchema"}
        assert e.failure_cases["index"].notna().all(), e.failure_cases
        return set(e.failure_cases["index"])
    return set()


def compare(contract: Contract, rows: list[dict[str, str]]) -> None:
    names = [c.name for c in contract.columns]
    lines = [",".join(names), *(",".join(f'"{row[name]}"' for name in names) for row in rows)]
    with tempfile.TemporaryDirectory() as home:
        judged = Region(Path(home), contract, timezone="UTC").judge("\n".join(lines))
    ours: dict[str, set[int]] = {}
    for number, row in enumerate(judged.rows):
        for rule in [*row["_rules"], *row["_warnings"]]:
            ours.setdefault(rule, set()).add(number)
    assert ours == by_pandas(contract, [{name: row[name] for name in names} for row in judged.rows])


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(row, min_size=60, max_size=120))
def test_as_pandas_judges(rows: list[dict[str, str]]) -> None:
    compare(WIDE, rows)


def test_as_pandas_judges_every_rule_at_least_once() -> None:
    """Rows made so that each rule is broken: the comparison above would hold for two judges that see nothing."""
    good = {
        "id": "i", "kind": "a", "name": "n", "tag": "one", "code": "abc", "amount": "1.00", "count": "1",
        "day": "2024-02-01", "at": "2024-06-02 00:00:00", "flag": "true", "limit": "4",
    }  # fmt: skip
    bad = [
        {"id": "long"}, {"kind": "x"}, {"name": "x"}, {"tag": "abc"}, {"code": "d"}, {"amount": "-1.50"},
        {"amount": "100.00"},
        {"count": "3"}, {"count": "7"}, {"day": "2024-01-01"}, {"day": "2025-01-01"}, {"at": "2024-05-31 23:59:59"},
        {"flag": "false"}, {"limit": "0"}, {"kind": "it's"}, {"limit": "-1"},
    ]  # fmt: skip
    rows = [good | change for change in bad]
    compare(WIDE, rows)
    frame = [{k: _typed(k, v) for k, v in row.items()} for row in rows]
    assert set(by_pandas(WIDE, frame)) == {rule.name for rule in compiled(WIDE)}


def _typed(name: str, value: str) -> Any:
    if name == "amount":
        return Decimal(value)
    if name in ("count", "limit"):
        return int(value)
    if name == "day":
        return date.fromisoformat(value)
    if name == "at":
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value == "true" if name == "flag" else value


def test_the_contracts_of_the_platform_compile() -> None:
    for contract in load_contracts().values():
        names = [rule.name for rule in compiled(contract)]
        expected = [f"{c.name}.{k.name}" for c in contract.columns for k in c.checks]
        assert names == expected + [f"record.{k.name}" for k in contract.row_checks]


def test_what_is_used_of_pandera() -> None:
    """A new version of pandera that changes any of this is not to be used before rules.py is looked at again."""
    assert pandera.__version__.startswith(rules.TESTED)
    [check] = THINGS.column("amount").checks
    table = ibis.table({"amount": "decimal(9, 2)"}, name="t")
    assert check._check_kwargs == {"min_value": 0}
    result = check._check_fn(IbisData(table, "amount"), **check._check_kwargs)
    assert isinstance(result, ibis.Table)
    [value] = result.op().values.values()
    assert value.to_expr().equals(table.amount >= 0)
    assert (check.element_wise, check.raise_warning, check.error) == (False, False, "greater_than_or_equal_to(0)")


def test_another_pandera_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pandera, "__version__", "0.99.0")
    with pytest.raises(ContractError, match=r"pandera 0\.99\.0"):
        compiled(Contract(name="other", domain="test", model=Wide, key=("id",)))


def test_a_check_sees_one_row_only() -> None:
    class Ranked(pa.DataFrameModel):
        id: str = pa.Field(description="d")

        @pa.dataframe_check(name="first")
        @classmethod
        def first(cls, data: Any) -> Any:
            return data.table.id == data.table.id.min()

    with pytest.raises(ContractError, match=r"contract ranked: record\.first looks at more than its own row"):
        compiled(Contract(name="ranked", domain="test", model=Ranked, key=("id",)))


def test_a_check_that_fails_is_named() -> None:
    class Wrong(pa.DataFrameModel):
        id: str = pa.Field(description="d")

        @pa.dataframe_check(name="wrong")
        @classmethod
        def wrong(cls, data: Any) -> Any:
            return data.table.nosuch == 1

    with pytest.raises(ContractError, match=r"contract wrong: record\.wrong cannot be compiled: .*nosuch"):
        compiled(Contract(name="wrong", domain="test", model=Wrong, key=("id",)))


def test_a_check_of_single_values_is_refused() -> None:
    class Slow(pa.DataFrameModel):
        id: str = pa.Field(description="d")

        @pa.check("id", name="slow", element_wise=True)
        @classmethod
        def slow(cls, value: Any) -> bool:
            return True

    with pytest.raises(ContractError, match=r"id\.slow is element-wise"):
        compiled(Contract(name="slow", domain="test", model=Slow, key=("id",)))
