"""What a contract may say of parents, and which of them rows may wait for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearer_platform.contracts import load_contracts
from clearer_platform.errors import ContractError
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

REGION = '[regions.eu]\ntimezone = "UTC"\ncurrency = "EUR"\nroot = "eu"\n'
MODULE = '''
import ibis.expr.datatypes as dt
import pandera.ibis as pa
from clearer_platform.contracts import Contract, Nested, Reference

class Things(pa.DataFrameModel):
    """Things."""
    id: dt.Int64 = pa.Field(description="Thing.")
    text: str = pa.Field(description="Text.")
    elements: str = pa.Field(description="Array.")

class Elements(pa.DataFrameModel):
    """Elements of things."""
    id: dt.Int64 = pa.Field(description="Thing.")
    position: dt.Int64 = pa.Field(description="Place.")
    other: dt.Int64 = pa.Field(description="Other.")

def contract(name, *references, **more):
    return Contract(name=name, domain="d", model=Things, key=("id",), references=references, **more)

def elements(parent, *references):
    key, nested = ("id", "position"), Nested(parent, "elements")
    return Contract(name="e", domain="d", model=Elements, key=key, nested=nested, references=references)

def waits(table, *columns):
    return Reference(columns or ("id",), table, waits=True)

'''


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A function that opens a platform with the contracts that a few lines make."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(lines: str) -> Platform:
        (tmp_path / "things.py").write_text(MODULE + lines)
        (tmp_path / "regions.toml").write_text(REGION)
        return Platform.open(Settings(home=tmp_path, _env_file=None, contract_modules=("things",)))  # type: ignore[call-arg]

    yield make
    sys.modules.pop("things", None)


def test_hires_wait_for_their_department_and_their_job() -> None:
    contracts = load_contracts()
    hired = contracts["hired_employees"]
    assert [r.name for r in hired.awaited] == ["departments (department_id)", "jobs (job_id)"]
    assert hired.personal() == ("id", "name") and not any(column.nullable for column in hired.columns)
    assert contracts["transactions"].awaited == ()


def test_rows_may_wait_along_a_chain_and_for_what_is_shared(opened) -> None:
    chain = 'A = contract("a", waits("b"), waits("c"))\nB = contract("b", waits("c"))\n'
    platform = opened(chain + 'C = contract("c", shared=True)\nD = contract("d", waits("c"), shared=True)')
    assert [reference.table for reference in platform.contract("a").awaited] == ["b", "c"]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('A = contract("a", Reference(("id",), "gone"))', r"contract a: gone \(id\): there is no such table"),
        ('A = contract("a", Reference(("text",), "a"))', r"a \(text\): its columns differ from the key \(id\)"),
        ('A = contract("a", Reference(("id", "id"), "a"))', r"a \(id, id\): its columns differ from the key \(id\)"),
        ('A = contract("a", waits("a"))', r"a \(id\): the rows would wait for each other"),
        (
            'A = contract("a", waits("b"))\nB = contract("b", waits("c"))\nC = contract("c", waits("a"))',
            "the rows would wait for each other",
        ),
        ('A = contract("a", waits("b"), shared=True)\nB = contract("b")', "cannot wait for what each has of its own"),
        (
            'A = contract("a", waits("b"))\nB = contract("b")\nE = elements("a")',
            "records with elements and the elements neither wait nor are waited for",
        ),
        (
            'A = contract("a")\nB = contract("b")\nE = elements("a", waits("b", "other"))',
            "neither wait nor are waited for",
        ),
    ],
)
def test_a_reference_that_cannot_be_says_why(opened, lines: str, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        opened(lines)
