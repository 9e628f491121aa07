import subprocess
import sys
from dataclasses import replace
from typing import Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa
import pytest

from clearer_platform.contracts import Contract, Personal, load_contracts
from clearer_platform.errors import ContractError


class Readings(pa.DataFrameModel):
    """Meter readings."""

    meter: str = pa.Field(description="Meter.", metadata={"personal": Personal.IDENTIFIER})
    kwh: dt.Decimal(9, 3) = pa.Field(ge=0, description="Kilowatt hours.")  # type: ignore[valid-type]
    note: Optional[str] = pa.Field(nullable=True, description="Remark.")


READINGS = Contract(name="readings", domain="energy", model=Readings, key=("meter",))


def test_columns_come_from_the_model():
    meter, kwh, note = READINGS.columns
    assert (meter.personal, meter.nullable, meter.required) == (Personal.IDENTIFIER, False, True)
    assert (kwh.dtype, [check.name for check in kwh.checks]) == (dt.Decimal(9, 3), ["greater_than_or_equal_to"])
    assert (note.required, note.nullable, note.description) == (False, True, "Remark.")
    assert READINGS.personal() == ("meter",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": ("metre",)}, "no such column: metre"),
        ({"key": ()}, "needs a key"),
        ({"key": ("note",)}, "may not be optional: note"),
        ({"event_time": "read_at"}, "no such column: read_at"),
        ({"shared": True}, "may not hold personal data"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(change, said):
    with pytest.raises(ContractError, match=said):
        replace(READINGS, **change)


def test_an_undocumented_column_is_refused():
    class Bare(pa.DataFrameModel):
        meter: str

    with pytest.raises(ContractError, match="without a description: meter"):
        Contract(name="bare", domain="energy", model=Bare, key=("meter",))


def test_the_fingerprint_moves_with_rules_and_not_with_words():
    class Stricter(Readings):
        kwh: dt.Decimal(9, 3) = pa.Field(ge=0, le=10_000, description="Kilowatt hours.")  # type: ignore[valid-type]

    class Reworded(Readings):
        kwh: dt.Decimal(9, 3) = pa.Field(ge=0, description="Energy in kilowatt hours.")  # type: ignore[valid-type]

    assert replace(READINGS, model=Reworded).fingerprint == READINGS.fingerprint
    assert replace(READINGS, model=Stricter).fingerprint != READINGS.fingerprint
    assert replace(READINGS, max_rejected=0.5).fingerprint != READINGS.fingerprint


def test_a_mended_hand_written_rule_moves_the_fingerprint():
    class Odd(Readings):
        @pa.dataframe_check(name="plausible")
        @classmethod
        def plausible(cls, data):
            return data.table.kwh < 100

    class Even(Readings):
        @pa.dataframe_check(name="plausible")
        @classmethod
        def plausible(cls, data):
            return data.table.kwh < 200

    assert replace(READINGS, model=Odd).fingerprint != replace(READINGS, model=Even).fingerprint


NESTED = """
import pandera.ibis as pa
from clearer_platform.contracts import Contract

class Nested(pa.DataFrameModel):
    \"\"\"A rule with functions inside.\"\"\"
    a: str = pa.Field(isin=["x", "y", "z"], description="a")

    @pa.dataframe_check(name="nested")
    @classmethod
    def nested(cls, data):
        pick = lambda table: [table[name] for name in ("a",)][0]
        return pick(data.table) != "q"

NESTED = Contract(name="nested", domain="d", model=Nested, key=("a",))
"""


def test_fingerprints_are_the_same_in_every_process(tmp_path):
    (tmp_path / "nested.py").write_text(NESTED)
    code = (
        "from clearer_platform.contracts import load_contracts\n"
        "print([c.fingerprint for c in load_contracts(['nested']).values()])"
    )
    texts = set()
    for seed in ("1", "2", "3"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(tmp_path)}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        texts.add(run.stdout)
    assert len(texts) == 1 and texts != {""}


def test_unique_is_refused_instead_of_ignored():
    class Unique(Readings):
        note: Optional[str] = pa.Field(nullable=True, unique=True, description="Remark.")

    with pytest.raises(ContractError, match=r"unique=True.*note"):
        replace(READINGS, model=Unique)


def test_contracts_are_found_and_a_module_that_is_not_there_is_named():
    assert {"customers", "products", "transactions", "conversations", "fx_rates"} <= set(load_contracts())
    with pytest.raises(ContractError, match=r"no_such_module.*\n.*CLEARER_CONTRACT_MODULES"):
        load_contracts(["no_such_module"])


def test_two_contracts_may_not_share_a_name(monkeypatch):
    from types import ModuleType

    module = ModuleType("double")
    module.SECOND = replace(READINGS, name="customers")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "double", module)
    with pytest.raises(ContractError, match="two contracts are called customers"):
        load_contracts(["double"])
