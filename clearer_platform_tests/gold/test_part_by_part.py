"""Builds of the part that changed: they touch nothing else, and come to what building everything anew comes to."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from clearer_platform import gold
from clearer_platform.gold import inputs, warehouse
from clearer_platform.platform import Platform
from clearer_platform_tests.gold.conftest import DAY, deliver_all, sale
from clearer_platform_tests.gold.histories import FIRST, Histories, synthetic
from clearer_platform_tests.gold.silver_files import REGIONS, open_platform, put, silver_path
from clearer_platform_tests.gold.store_pictures import Store, changed, put_picture, random_store, remove_picture
from clearer_platform_tests.gold.test_histories import bring_up, differences
from clearer_platform_tests.gold.test_new_table import CONTRACT

STEPS = int(os.environ.get("CLEARER_TEST_PARTS", "8"))
SEED = int(os.environ.get("CLEARER_TEST_SEED", "20241201"))
FURTHER = "departments = {}\njobs = {}\nhired_employees = {}\nsales = {}\n"
WITH_STORES = REGIONS.replace("fx_rates = {}\n", "fx_rates = {}\nstores = {}\n" + FURTHER)
WITH_ACCOUNTS = REGIONS + "loyalty_points = {}\n"
PICTURE = [Store("s1"), Store("s2")]


@dataclass
class Both(Histories):
    """Histories of sales and of stores: every step changes one domain, the other, or both."""

    pictures: dict[tuple[str, date, str], list[Store]] = field(default_factory=dict)

    def change(self) -> set[str]:
        """What a step changed: sales, stores or both."""
        kinds = set(self.random.choice((["sales"], ["stores"], ["stores"], ["sales", "stores"])))
        if "sales" in kinds:
            self.step(2)
        if "stores" in kinds:
            for region in self.regions:
                self._picture(region)
        return kinds

    def _picture(self, region: str) -> None:
        """A delivery of stores, days before or after any of sales; or one is gone."""
        slot = (region, FIRST + timedelta(self.random.randrange(-20, 20)), self.random.choice("ab"))
        known = [slot for slot in self.pictures if slot[0] == region]
        if known and self.random.random() < 0.2:
            gone = self.random.choice(known)
            del self.pictures[gone]
            return remove_picture(self.platform, *gone)
        before = self.pictures[known[-1]] if known else [random_store(self.random, f"s{n}") for n in range(4)]
        self.pictures[slot] = changed(self.random, before)
        self.clock += timedelta(minutes=1)
        put_picture(self.platform, region, slot[1], self.pictures[slot], slot=slot[2], received=self.clock)
        return None


@pytest.mark.slow
def test_any_history_part_by_part_equals_a_rebuild(tmp_path: Path, prepared_dbt: Path) -> None:
    """After every step, in all that the warehouse has, its own records included; the as-of date changes too."""
    platform = synthetic(tmp_path / "home", 5, SEED, prepared_dbt, further=("stores",)).platform
    histories = Both(platform, Random(SEED))
    followed, rebuilt = tmp_path / "followed.duckdb", tmp_path / "rebuilt.duckdb"
    built: list[tuple[set[str], set[str]]] = []
    as_of: date | None = None
    for number in range(STEPS):
        kinds = histories.change()
        if number and histories.random.random() < 0.4:
            as_of, before = histories.random.choice((None, FIRST, FIRST + timedelta(9))), as_of
            kinds |= {"stores"} if as_of != before else set()
        done = bring_up(histories, followed, as_of=as_of)
        bring_up(histories, rebuilt, as_of=as_of, full_refresh=True)
        assert differences(followed, rebuilt) == {}, (number, kinds)
        if number:
            built.append((kinds, {domain(platform, test.model) for test in done.tests}))
    assert [found for _, found in built] == [kinds for kinds, _ in built]
    assert {frozenset(kinds) for kinds, _ in built} >= {frozenset({"sales"}), frozenset({"stores"})}


def domain(platform: Platform, model: str) -> str:
    """Which of the two a model belongs to."""
    manifest = gold.prepare(platform).manifest["nodes"]
    return "stores" if "subscriptions" in manifest[f"model.clearer.{model}"]["path"] else "sales"


@pytest.fixture(scope="module")
def project(few_models: Callable[..., Path]) -> Path:
    """Marts of each domain by which its tables are one part, and the facts that are held against the calendar."""
    sales = ("branch_performance", "customer_distribution")
    return few_models(*sales, "dim_dates", "fct_hires", "fct_sales", "plan_changes", "subscription_changes")


@pytest.fixture(scope="module")
def regional_home(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, project: Path) -> Path:
    """The home of a region with a day of everything, built."""
    home = tmp_path_factory.mktemp("regional") / "home"
    platform = open_platform(home, WITH_STORES, prepared_dbt, dbt_project=project)
    deliver_all(platform, "eu")
    put_picture(platform, "eu", DAY, PICTURE)
    gold.build(platform, "eu")
    return home


@pytest.fixture
def regional(regional_home: Path, tmp_path: Path, project: Path) -> Platform:
    """A copy of the same, for one test alone."""
    shutil.copytree(regional_home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home", WITH_STORES, dbt_project=project)


def rows(platform: Platform, query: str, region: str = "eu") -> list[tuple[Any, ...]]:
    with gold.connect(platform, region) as connection:
        return connection.execute(query).fetchall()


def test_days_that_an_earlier_build_restated_are_not_told_again(regional: Platform) -> None:
    put(regional, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    assert gold.build(regional, "eu").restated == (DAY,)
    put_picture(regional, "eu", DAY + timedelta(1), PICTURE)
    done = gold.build(regional, "eu")
    assert (done.changed, done.restated) == (True, ())
    assert {domain(regional, test.model) for test in done.tests} == {"stores"}


def test_the_calendar_is_built_once(regional: Platform) -> None:
    """Whatever part is built later, or all of them; the facts are held against it all the same."""
    calendar = rows(regional, "from gold.dim_dates order by all")
    assert len(calendar) == (date(2070, 1, 1) - date(1970, 1, 1)).days
    put_picture(regional, "eu", DAY + timedelta(90), PICTURE)
    put(regional, "eu", "transactions", DAY + timedelta(2), [sale(3)])
    for table in ("departments", "jobs", "hired_employees"):
        put(regional, "eu", table, DAY, [])
    put(regional, "eu", "sales", DAY, [])
    ran = {test.name for test in gold.build(regional, "eu").tests}
    assert ran >= {f"{fact}_find_their_day" for fact in ("fct_transactions", "fct_hires", "fct_sales")}
    assert not ran & {"dim_dates_has_a_key", "dim_dates_has_a_row_a_day"}
    assert rows(regional, "from gold.dim_dates order by all") == calendar
    ran = {test.name for test in gold.build(regional, "eu", full_refresh=True).tests}
    assert ran >= {"dim_dates_has_a_key", "dim_dates_has_a_row_a_day", "fct_transactions_find_their_day"}


def test_a_replaced_picture_takes_nobodys_pseudonym_away(regional: Platform) -> None:
    """The table that names people is not even looked at."""
    everyone = rows(regional, "select * from clearer.pseudonyms order by all")
    assert len(everyone) == 3
    put_picture(regional, "eu", DAY, PICTURE[:1])
    gold.build(regional, "eu")
    assert rows(regional, "select * from clearer.pseudonyms order by all") == everyone


@pytest.fixture(scope="module")
def accounts_home(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, project: Path) -> Iterator[Path]:
    """The home of a region, built, with one more table that names people and that no model reads: a part of its own."""
    folder = tmp_path_factory.mktemp("accounts")
    named = 'description="Account.", metadata={"personal": "identifier"}'
    contract = CONTRACT.replace("{mode}", "upsert").replace('description="Account."', named)
    (folder / "accounts.py").write_text(contract)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        settings = {"contract_modules": ("accounts",), "dbt_project": project}
        platform = open_platform(folder / "home", WITH_ACCOUNTS, prepared_dbt, **settings)
        deliver_all(platform, "us")
        gold.build(platform, "us")
        yield folder / "home"


@pytest.fixture
def with_accounts(accounts_home: Path, tmp_path: Path, project: Path) -> Platform:
    """A copy of the same, for one test alone."""
    shutil.copytree(accounts_home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home", WITH_ACCOUNTS, contract_modules=("accounts",), dbt_project=project)


def accounts(platform: Platform, *names: str) -> None:
    """Deliver the further table."""
    put(platform, "us", "loyalty_points", DAY, [{"account": name, "version": 1, "points": 2} for name in names])


def test_a_table_that_no_model_reads_is_noted_without_running_dbt(
    with_accounts: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearer_platform.gold.attempt.invoke", lambda *asked, **how: pytest.fail("dbt was run"))
    accounts(with_accounts, "new")
    assert gold.build(with_accounts, "us").tests == ()
    assert ("loyalty_points", DAY, "a.csv") in gold.contained(with_accounts, "us")
    assert not gold.build(with_accounts, "us").changed


def test_a_pseudonym_goes_when_no_table_of_any_part_names_the_person(with_accounts: Platform) -> None:
    def people() -> list[str]:
        query = "select identifier from clearer.pseudonyms order by 1"
        return [name for (name,) in rows(with_accounts, query, "us")]

    accounts(with_accounts, "customer-1", "customer-2", "new")
    gold.build(with_accounts, "us")
    assert people() == ["customer-1", "customer-2", "f1", "new"]
    accounts(with_accounts, "customer-2")
    gold.build(with_accounts, "us")
    assert people() == ["customer-1", "customer-2", "f1"]
    put(with_accounts, "us", "transactions", DAY, [sale(1)])
    put(with_accounts, "us", "customers", DAY, [])
    gold.build(with_accounts, "us")
    assert people() == ["customer-1", "customer-2", "f1"]
    accounts(with_accounts)
    gold.build(with_accounts, "us")
    assert people() == ["customer-1", "f1"]


@pytest.fixture
def looking_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Something to do between the listing of silver and its snapshot."""
    todo: list[Any] = []
    take = inputs.snapshot

    def late(*asked: Any) -> list[inputs.SilverFile]:
        while todo:
            todo.pop()()
        return take(*asked)

    monkeypatch.setattr(inputs, "snapshot", late)
    yield todo


def test_what_comes_for_another_part_meanwhile_is_left_to_the_next_build(
    with_accounts: Platform, looking_away: list[Any]
) -> None:
    """Even where its tables are looked at for their people; or gold would say that it contains what it has not."""

    def revenue() -> list[str]:
        return [f"{amount}" for (amount,) in rows(with_accounts, "select revenue from gold.branch_performance", "us")]

    accounts(with_accounts, "new")
    looking_away.append(lambda: put(with_accounts, "us", "transactions", DAY, [sale(1, total_amount="12.00")]))
    gold.build(with_accounts, "us")
    assert revenue() == ["10.00"]
    assert gold.build(with_accounts, "us").restated == (DAY,)
    assert revenue() == ["12.00"]
    assert not gold.build(with_accounts, "us").changed


def test_what_changes_in_the_same_part_meanwhile_is_in_it(regional: Platform, looking_away: list[Any]) -> None:
    put(regional, "eu", "transactions", DAY, [sale(1, total_amount="12.00")])
    looking_away.append(lambda: silver_path(regional, "eu", "conversations", DAY, "a.csv").unlink())
    gold.build(regional, "eu")
    assert rows(regional, "select count(*) from gold.fct_conversations") == [(0,)]
    assert not gold.build(regional, "eu").changed


def test_another_as_of_date_builds_what_depends_on_it_and_nothing_else(regional: Platform) -> None:
    told = gold.build(regional, "eu", as_of=DAY + timedelta(30))
    assert {domain(regional, test.model) for test in told.tests} == {"stores"}
    assert gold.served_as_of(regional, "eu") == DAY + timedelta(30)
    assert not gold.build(regional, "eu", as_of=DAY + timedelta(30)).changed
    fingerprint = warehouse.state(warehouse.serving_copy(regional.layout("eu"))).fingerprint  # type: ignore[union-attr]
    assert len(gold.contained(regional, "eu")) == 7
    assert gold.build(regional, "eu").changed
    assert gold.served_as_of(regional, "eu") is None
    state = warehouse.state(warehouse.serving_copy(regional.layout("eu")))
    assert state is not None and state.fingerprint != fingerprint
