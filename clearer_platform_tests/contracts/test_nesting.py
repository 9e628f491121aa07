"""Tables nested in others: what their contracts and the registry may say, and how they are called together."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from clearer_platform.contracts import Contract, Spans
from clearer_platform.contracts.subscriptions import INSTALL_INTERVALS
from clearer_platform.errors import ClearerError, ContractError, RegistryError, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings

REGION = """
[regions.eu]
timezone = "Europe/Berlin"
currency = "EUR"
root = "eu"
[regions.eu.csv]
date = "%d.%m.%Y"
datetime = "%d.%m.%Y %H:%M"
decimal = ","
thousands = "."
nulls = ["NULL"]
true = ["ja"]
[regions.eu.tables.customers]
[regions.eu.tables.stores]
columns = { install_history = "installs" }
[regions.eu.tables.stores.nested.install_intervals]
from_date = "begin"
"""
NOTES = '''
from typing import Optional
import ibis.expr.datatypes as dt
import pandera.ibis as pa
from clearer_platform.contracts import Contract, LoadMode, Nested, Personal

WHO = {"personal": Personal.IDENTIFIER}

class Notes(pa.DataFrameModel):
    """Notes on customers."""
    customer_id: str = pa.Field(description="Customer.", metadata=WHO)
    position: dt.Int64 = pa.Field(description="Place.")
    text: str = pa.Field(description="Text.", metadata={"personal": Personal.DIRECT})

NOTES = Contract(
    name="notes", domain="d", model=Notes, key=("customer_id", "position"),
    load_mode=LoadMode.UPSERT, nested=Nested("customers", "address"),
)
'''
modules = itertools.count()


def opened(home: Path, registry: str = REGION, **settings: object) -> Platform:
    home.mkdir(exist_ok=True)
    (home / "regions.toml").write_text(registry)
    return Platform.open(Settings(home=home, _env_file=None, **settings))  # type: ignore[arg-type]


def test_a_family_is_delivered_together(tmp_path: Path) -> None:
    platform = opened(tmp_path)
    assert platform.delivered("install_intervals") == platform.delivered("stores") == "stores"
    assert [c.name for c in platform.family("stores")] == ["install_intervals", "subscription_periods", "stores"]
    assert platform.children("customers") == platform.children("install_intervals") == ()
    assert platform.tables("eu") == ["customers", "stores", "install_intervals", "subscription_periods"]


def test_elements_are_read_as_json_but_for_dates(tmp_path: Path) -> None:
    platform = opened(tmp_path)
    source = platform.source("eu", "install_intervals")
    assert (source.table, source.timezone, source.columns) == (
        "install_intervals",
        "Europe/Berlin",
        {"from_date": "begin"},
    )
    assert (source.csv.date, source.csv.datetime) == ("%d.%m.%Y", "%d.%m.%Y %H:%M")
    assert (source.csv.decimal, source.csv.thousands, source.csv.nulls) == (".", "", ())
    assert (source.csv.true, source.csv.false) == (("true",), ("false",))
    assert platform.source("eu", "subscription_periods").columns == {}
    assert platform.source("eu", "stores").columns == {"install_history": "installs"}
    with pytest.raises(UnknownName):
        opened(tmp_path / "us", REGION.split("[regions.eu.tables.stores]")[0]).source("eu", "install_intervals")


def test_the_parents_fingerprint_moves_with_the_mapping_of_its_elements(tmp_path: Path) -> None:
    one = opened(tmp_path).source("eu", "stores").fingerprint
    other = opened(tmp_path, REGION.replace('"begin"', '"started"')).source("eu", "stores")
    assert one != other.fingerprint
    assert other.of_nested("install_intervals").fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("added", "error", "said"),
    [
        ("[regions.eu.tables.install_intervals]", RegistryError, "come in the deliveries of stores"),
        ("[regions.eu.tables.stores.nested.installs]", UnknownName, "unknown table in regions.eu.tables.stores.nested"),
        ("[regions.eu.tables.customers.nested.subscription_periods]", UnknownName, "known: none"),
        ('[regions.eu.tables.stores.nested.subscription_periods]\nbegin = "x"', UnknownName, "unknown column"),
        ('[regions.eu.tables.stores.nested.subscription_periods]\nstore_id = "x"', UnknownName, "unknown column"),
    ],
)
def test_a_registry_that_does_not_fit_says_what_to_do(
    tmp_path: Path, added: str, error: type[ClearerError], said: str
) -> None:
    with pytest.raises(error) as raised:
        opened(tmp_path, f"{REGION}{added}\n")
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('Nested("customers"', 'Nested("nobody"', "'nobody', which is no table"),
        ('Nested("customers"', 'Nested("install_intervals"', "'install_intervals', which is no table"),
        ('Nested("customers"', 'Nested("fx_rates"', "'fx_rates', which is no table"),
        ('"address"', '"remark"', "no text column 'remark'"),
        ('"address"', '"birth_date"', "no text column 'birth_date'"),
        ('"address"', '"gender"', "holds personal data, and so does customers.gender: say so"),
        ('description="Customer.", metadata=WHO', 'description="Customer."', "kinds of personal data"),
        ("customer_id: str", "customer_id: dt.Int64", "the same types"),
        ("customer_id", "customer", "has the key columns of customers (customer_id)"),
        ("LoadMode.UPSERT", "LoadMode.FULL", "the same load mode (upsert)"),
    ],
)  # fmt: skip
def test_a_nested_contract_fits_its_parents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, said: str
) -> None:
    def with_notes(text: str) -> Platform:
        name = f"notes_{next(modules)}"
        (tmp_path / f"{name}.py").write_text(text)
        return opened(tmp_path, contract_modules=(name,))

    monkeypatch.syspath_prepend(str(tmp_path))
    assert with_notes(NOTES).delivered("notes") == "customers"
    assert old in NOTES
    with pytest.raises(ContractError) as raised:
        with_notes(NOTES.replace(old, new))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"key": ("store_id",), "spans": None},
        {"key": ("position", "store_id")},
        {"tombstone": "to_now"},
        {"spans": Spans(("store_id",), "from_date", "ended")},
    ],
)
def test_a_nested_contract_is_whole_in_itself(changed: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        replace(INSTALL_INTERVALS, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize("changed", [{"nested": None}, {"spans": None}, {"spans": Spans((), "from_date", "to_date")}])
def test_what_decides_about_elements_is_in_the_fingerprint(changed: dict[str, object]) -> None:
    other: Contract = replace(INSTALL_INTERVALS, **changed)  # type: ignore[arg-type]
    assert other.fingerprint != INSTALL_INTERVALS.fingerprint
