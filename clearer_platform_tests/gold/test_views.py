"""Views: gold as of another date and by earlier deliveries, beside what is served and in its region's own folder."""

import os
import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from clearer_platform import gold
from clearer_platform.errors import BuildError, Busy, NothingYet, StorageError
from clearer_platform.gold import views
from clearer_platform.platform import Platform
from clearer_platform.storage import local
from clearer_platform_tests.gold.conftest import DAY, NAMES, deliver_all, sale
from clearer_platform_tests.gold.silver_files import open_platform, put
from clearer_platform_tests.gold.store_pictures import Interval, Period, Store, put_picture
from clearer_platform_tests.gold.test_bucket import BUCKET, upload
from clearer_platform_tests.gold.test_build import with_test
from clearer_platform_tests.gold.test_part_by_part import WITH_STORES

START = datetime(2024, 10, 1, 12, tzinfo=UTC)
LATER = DAY + timedelta(5)
OPEN, CLOSED = Interval(START), Interval(START, START + timedelta(9))
PAYS = Period("plan", Decimal("19.00"), START)
LIFESPAN = "select store_id, lifespan_days, as_of from gold.store_lifespan_original order by 1"


def at(days: int) -> date:
    """The day so many days after the first interval begins."""
    return START.date() + timedelta(days)


@pytest.fixture(scope="module")
def project(few_models: Callable[..., Path]) -> Path:
    """The models that are looked at here, and those by which the tables of each domain are one part."""
    return few_models("branch_performance", "customer_distribution", "store_lifespan_original", "subscription_changes")


@pytest.fixture(scope="module")
def stores_home(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path, project: Path) -> Path:
    """A home with sales, and with two pictures of stores: an open interval, which is closed in the second one."""
    home = tmp_path_factory.mktemp("views") / "home"
    platform = open_platform(home, WITH_STORES, prepared_dbt, dbt_project=project)
    deliver_all(platform, "eu")
    put_picture(platform, "eu", DAY, [Store("s", (OPEN,), (PAYS,))])
    put_picture(platform, "eu", LATER, [Store("s", (CLOSED,), (PAYS,)), Store("t", (OPEN,))])
    gold.build(platform, "eu")
    return home


@pytest.fixture
def stores(stores_home: Path, project: Path, tmp_path: Path) -> Platform:
    """A copy of the same, for one test alone."""
    shutil.copytree(stores_home, tmp_path / "home", symlinks=True)
    return open_platform(tmp_path / "home", WITH_STORES, dbt_project=project)


def reopened(platform: Platform, **settings: object) -> Platform:
    """The same platform with other settings."""
    return Platform.open(platform.settings.model_copy(update=settings))


def seen(platform: Platform, query: str = LIFESPAN, table: str = "store_lifespan_original", **dates: Any) -> list[Any]:
    """What a view answers."""
    (model,) = [model for model in gold.models(platform) if (model.layer, model.alias) == ("gold", table)]
    with closing(gold.view(platform, "eu", model, **dates)) as connection:
        return connection.execute(query).fetchall()


def kept(platform: Platform, region: str = "eu") -> list[Path]:
    return sorted((platform.layout(region).work / "views").glob("*.duckdb"))


def test_what_goes_on_is_looked_at_on_the_day_that_is_asked_for(stores: Platform) -> None:
    """Past or to come. An interval that is over has its length whatever the date."""
    for days in (30, 92, 3600):
        assert seen(stores, as_of=at(days)) == [("s", 9, at(days)), ("t", days, at(days))]
    with closing(gold.connect(stores, "eu")) as served:
        on = (LATER - START.date()).days
        assert served.execute(LIFESPAN).fetchall() == [("s", 9, LATER), ("t", on, LATER)]


def test_earlier_pictures_stay_readable(stores: Platform) -> None:
    """Whatever came for later business days; by default as of their own day, and as of any other, earlier or later."""
    for day in (DAY, LATER - timedelta(1)):
        assert seen(stores, as_of_delivery=day) == [("s", (DAY - START.date()).days, DAY)]
    for days in (7, 92):
        assert seen(stores, as_of_delivery=DAY, as_of=at(days)) == [("s", days, at(days))]
    assert seen(stores, as_of_delivery=LATER + timedelta(9)) == seen(stores, as_of=LATER)


def test_tables_without_an_as_of_date_as_earlier_deliveries_made_them(stores: Platform) -> None:
    put(stores, "eu", "transactions", DAY + timedelta(1), [sale(9)])
    gold.build(stores, "eu")
    query = "select transactions from gold.branch_performance"
    assert seen(stores, query, "branch_performance", as_of_delivery=DAY) == [(2,)]
    assert seen(stores, query, "branch_performance", as_of_delivery=DAY + timedelta(1)) == [(3,)]


def test_a_day_before_any_delivery_is_an_error_that_names_the_first(stores: Platform, tmp_path: Path) -> None:
    with pytest.raises(NothingYet, match=f"nothing of what makes store_lifespan_original .* by {at(0)}") as raised:
        seen(stores, as_of_delivery=at(0))
    assert raised.value.hint == f"the first delivery is of {DAY}"
    rates = [{"currency": "USD", "day": at(0), "rate": "0.90000000"}]
    put(stores, "eu", "fx_rates", at(0), rates)  # it is delivered for all, and makes nothing by itself
    with pytest.raises(NothingYet, match=f"the first delivery is of {DAY}"):
        seen(stores, "select 1", "branch_performance", as_of_delivery=at(0))
    empty = open_platform(tmp_path / "empty", WITH_STORES)
    with pytest.raises(NothingYet, match="nothing of what makes store_lifespan_original has been delivered"):
        seen(empty, as_of=at(0))
    assert kept(stores) == []


def test_a_view_that_is_up_to_date_is_read_without_building_or_waiting(
    stores: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when something has come that has nothing to do with it."""
    first = seen(stores, as_of=at(30))
    put(stores, "eu", "transactions", DAY + timedelta(1), [sale(9)])
    monkeypatch.setattr("clearer_platform.gold.warm.build", lambda *asked: pytest.fail("it was built again"))
    with stores.layout("eu").lock("views"), stores.layout("eu").lock("gold"):
        assert seen(stores, as_of=at(30)) == first


def test_what_comes_later_is_in_the_next_look_and_not_in_an_open_one(stores: Platform) -> None:
    (model,) = [model for model in gold.models(stores) if model.name == "store_lifespan_original"]
    with closing(gold.view(stores, "eu", model, as_of=at(30))) as before:
        put_picture(stores, "eu", LATER + timedelta(1), [Store("u", (OPEN,))])
        assert seen(stores, as_of=at(30)) == [("u", 30, at(30))]
        assert before.execute(LIFESPAN).fetchall() == [("s", 9, at(30)), ("t", 30, at(30))]
    assert seen(stores, as_of=at(30), as_of_delivery=LATER) == [("s", 9, at(30)), ("t", 30, at(30))]


def test_what_is_served_is_left_alone_and_neither_waits_for_the_other(stores: Platform) -> None:
    path = local(stores.layout("eu").warehouse)
    before = path.stat()
    with stores.layout("eu").lock("gold"):
        seen(stores, as_of=at(30))
    assert path.stat() == before
    with stores.layout("eu").lock("views"), closing(gold.connect(stores, "eu")) as served:
        assert len(served.execute(LIFESPAN).fetchall()) == 2


def test_one_at_a_time_builds_views(stores: Platform) -> None:
    """Who comes while another one does waits for it, and does not wait for ever."""
    impatient = reopened(stores, lock_timeout=0.1)
    with stores.layout("eu").lock("views"), pytest.raises(Busy):
        seen(impatient, as_of=at(30))
    found: list[Any] = []
    crowd = [threading.Thread(target=lambda: found.append(seen(stores, as_of=at(30)))) for _ in range(3)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert found == [[("s", 9, at(30)), ("t", 30, at(30))]] * 3


def test_views_and_nothing_else_are_below_the_regions_folder(stores: Platform) -> None:
    """Also what is in the way while one is built."""
    home = stores.settings.home
    files = {p for p in home.rglob("*") if p.is_file()}
    seen(stores, as_of=at(30))
    seen(stores, "select 1", "branch_performance", as_of_delivery=DAY)
    new = {p for p in home.rglob("*") if p.is_file()} - files
    assert len(kept(stores)) == 2
    assert new == {*kept(stores), stores.layout("eu").work / "views.lock"}


def test_the_views_that_nobody_looked_at_for_longest_go(stores: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "KEPT", 2)
    for days in (1, 2):
        seen(stores, as_of=at(days))
    for path, age in zip(kept(stores), (200, 100), strict=True):
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    seen(stores, as_of=at(1))
    seen(stores, as_of=at(3))
    assert [f"{at(days)}" in path.name for days, path in zip((1, 3), kept(stores), strict=True)] == [True, True]


def test_what_is_withdrawn_stays_in_no_view(stores: Platform) -> None:
    """A person whose rows were replaced; a later delivery alone leaves views as they are."""
    people = "select count(*) from gold.dim_customers"
    assert seen(stores, people, "dim_customers", as_of_delivery=DAY) == [(len(NAMES),)]
    put_picture(stores, "eu", LATER + timedelta(1), [Store("u", (OPEN,))])
    gold.build(stores, "eu")
    assert len(kept(stores)) == 1
    assert b"customer-2" in kept(stores)[0].read_bytes()
    put(stores, "eu", "transactions", DAY, [sale(1)])
    put(stores, "eu", "customers", DAY, [])
    gold.build(stores, "eu")
    assert kept(stores) == []
    assert seen(stores, people, "dim_customers", as_of_delivery=DAY) == [(0,)]


def test_a_view_that_goes_before_it_is_opened_is_an_error_with_a_hint(
    stores: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen(stores, as_of=at(30))
    monkeypatch.setattr(views, "looked_at", lambda path: path.unlink())
    with pytest.raises(StorageError, match="was removed meanwhile") as raised:
        seen(stores, as_of=at(30))
    assert raised.value.hint == "read it again"


def test_a_view_that_fails_its_tests_is_not_kept(stores: Platform, tmp_path: Path) -> None:
    sql = "from {{ ref('store_lifespan_original') }} where lifespan_days > 50"
    strict = with_test(stores, tmp_path, "tests/never_above_50.sql", sql)
    assert len(seen(strict, as_of=at(50))) == 2
    with pytest.raises(gold.GoldFailed, match="never_above_50 of store_lifespan_original failed"):
        seen(strict, as_of=at(51))
    assert [path.name for path in kept(strict)] == [f"install_intervals-as-of-{at(50)}-until-newest.duckdb"]


def test_views_are_local_where_gold_is_served_from_motherduck(
    stores: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clearer_platform.gold.motherduck.attach", lambda *asked: pytest.fail("MotherDuck was asked"))
    monkeypatch.setattr("clearer_platform.gold.motherduck.publish", lambda *asked: pytest.fail("it was published"))
    elsewhere = reopened(stores, warehouse="motherduck")
    assert seen(elsewhere, as_of=at(30)) == [("s", 9, at(30)), ("t", 30, at(30))]


def test_views_of_a_region_in_a_bucket_are_in_its_local_work_folder(
    tmp_path: Path, prepared_dbt: Path, project: Path
) -> None:
    """What is fetched for them is fetched once, and is not in the way of what is fetched for gold."""
    staged = open_platform(tmp_path / "staged")
    bucket = BUCKET.replace("gold-bucket", "view-bucket")
    platform = open_platform(tmp_path / "home", bucket, prepared_dbt, dbt_project=project)
    deliver_all(staged, "us")
    put(staged, "us", "transactions", DAY + timedelta(1), [sale(3)])
    upload(platform, staged)
    gold.build(platform, "us")
    mirror = platform.layout("us").work / "gold" / "mirror"
    fetched = sorted(mirror.iterdir())
    (model,) = [model for model in gold.models(platform) if model.name == "branch_performance"]
    for day, number in ((DAY, 2), (DAY + timedelta(1), 3)):
        with closing(gold.view(platform, "us", model, as_of_delivery=day)) as connection:
            assert connection.execute("select transactions from gold.branch_performance").fetchall() == [(number,)]
    assert sorted(mirror.iterdir()) == fetched
    assert [path.name for path in kept(platform, "us")] == [
        f"conversations-as-of-newest-until-{day}.duckdb" for day in (DAY, DAY + timedelta(1))
    ]


def test_an_as_of_date_so_far_away_that_its_days_would_fill_the_disk_is_refused(stores: Platform) -> None:
    newest = LATER
    assert seen(stores, as_of=newest + timedelta(3653))
    with pytest.raises(BuildError, match=f"more than ten years after the newest delivery, of {newest}"):
        seen(stores, as_of=newest + timedelta(3654))
    with pytest.raises(BuildError, match="more than ten years"):
        gold.build(stores, "eu", as_of=date.max)
