"""As-of dates from the command line and from Python: reading on another date, and building for one."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clearer_platform.errors import ClearerError
from clearer_platform_tests.cli.conftest import Cli
from clearer_platform_tests.conftest import make_home
from clearer_platform_tests.silver.nesting import ENTRY

REGISTRY = """
[regions.eu]
timezone = "UTC"
currency = "EUR"
root = "eu"
start = 2024-12-01
[regions.eu.tables.transactions]
days = []
[regions.eu.tables.stores]
days = []
""" + ENTRY.format(region="eu")
LOAD = ("load", "store_lifespan_original", "--region", "eu", "--columns", "store_id,lifespan_days,as_of")
SERVED = [{"store_id": "a", "lifespan_days": 10, "as_of": "2024-12-05"}]
FIRST, SECOND = "2024-12-01", "2024-12-05"


def deliver(home: Path, day: str, end: str | None) -> None:
    """A picture of one store, installed on the first of November until `end`."""
    interval = {
        "toNow": end is None,
        "startType": None,
        "fromDate": "2024-11-01 00:00:00",
        "endType": None,
        "toDate": end,
    }
    folder = home / "eu/landing/stores"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"stores-{day}.csv").open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["store_id", "installHistory", "subscriptionHistory"])
        rows.writerow(["a", json.dumps([interval]), "[]"])


@pytest.fixture(scope="module")
def project(few_models: Callable[..., Path]) -> Path:
    """A dbt project with a table that depends on a date, and some that do not."""
    by_branch = "branch_performance", "global_branch_performance_daily"
    return few_models(*by_branch, "dim_dates", "store_lifespan", "store_lifespan_original")


@pytest.fixture(scope="module")
def stores_home(tmp_path_factory: pytest.TempPathFactory, prepared_dbt: Path) -> Path:
    """Two pictures of a store, materialised: installed in the first, and in the second no longer."""
    home = make_home(tmp_path_factory.mktemp("as_of") / "home", REGISTRY, prepared_dbt)
    deliver(home, FIRST, None)
    deliver(home, SECOND, "2024-11-11 12:00:00")
    assert "2 days published" in Cli(home)("materialize").stdout
    return home


@pytest.fixture
def stores(stores_home: Path) -> Cli:
    """`clearer` on that home; for commands that only read."""
    return Cli(stores_home)


@pytest.fixture
def own(stores_home: Path, tmp_path: Path) -> Cli:
    """`clearer` on a copy of it, to be changed."""
    return Cli(Path(shutil.copytree(stores_home, tmp_path / "copy", symlinks=True)))


def loaded(cli: Cli, *options: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(cli(*LOAD, *options, "-f", "json").stdout)
    return found


def test_load_as_of_another_date(stores):
    """What is over has its length whatever the date; what goes on is as long as the date says."""
    assert loaded(stores) == SERVED
    assert loaded(stores, "--as-of", "2025-01-01") == [{"store_id": "a", "lifespan_days": 10, "as_of": "2025-01-01"}]
    assert loaded(stores, "--as-of-delivery", "2024-12-04") == [{"store_id": "a", "lifespan_days": 30, "as_of": FIRST}]
    both = ("--as-of", "2025-01-01", "--as-of-delivery", FIRST)
    assert loaded(stores, *both) == [{"store_id": "a", "lifespan_days": 61, "as_of": "2025-01-01"}]
    assert list(csv.DictReader(io.StringIO(stores(*LOAD, *both, "-f", "csv").stdout))) == [
        {"store_id": "a", "lifespan_days": "61", "as_of": "2025-01-01"}
    ]
    assert "2025-01-01" in stores(*LOAD, *both).stdout
    assert loaded(stores) == SERVED


def test_load_accepted_records_by_an_earlier_delivery(stores):
    """Of a delivered table and of what is nested in it."""
    load = ("load", "install_intervals", "-r", "eu", "-f", "json", "--columns", "_day,to_now")
    assert json.loads(stores(*load, "--as-of-delivery", "2024-12-04").stdout) == [{"_day": FIRST, "to_now": True}]
    assert len(json.loads(stores(*load, "--as-of-delivery", SECOND).stdout)) == 2
    assert json.loads(stores(*load, "--as-of-delivery", SECOND, "--from", SECOND).stdout) == [
        {"_day": SECOND, "to_now": False}
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["store_lifespan", "-r", "eu", "--as-of-delivery", "2024-11-30"], "the first delivery is of 2024-12-01"),
        (["stores", "-r", "eu", "--as-of-delivery", "2024-11-30"], "the first delivery is of 2024-12-01"),
        (["branch_performance", "-r", "eu", "--as-of-delivery", "2024-12-01"], "nothing of what makes"),
        (["branch_performance", "-r", "eu", "--as-of", "2024-12-01"], "says the same as of every date"),
        (["dim_dates", "-r", "eu", "--as-of", "2024-12-01"], "store_lifespan_original"),
        (["stores", "-r", "eu", "--as-of", "2024-12-01"], "says the same as of every date"),
        (["branch_performance", "--as-of", "2024-12-01"], "name a region: eu"),
        (["branch_performance", "--as-of-delivery", "2024-12-01"], "name a region: eu"),
        (["store_lifespan", "-r", "eu", "--as-of", "2024-12-01", "--columns", "x"], "unknown column"),
    ],
)
def test_load_refuses(stores, arguments, message):
    assert message in stores.error("load", *arguments)


def test_what_is_no_day_is_wrong_usage(stores):
    assert "'2024-13-01' is not a day" in stores("load", "store_lifespan", "--as-of", "2024-13-01", code=2).stderr
    assert "'soon' is not a day" in stores("materialize", "--as-of", "soon", code=2).stderr


def test_help_says_what_the_dates_are(stores):
    said = " ".join(stores("load", "--help").stdout.split())
    assert "by default the business day of the newest delivery" in said
    assert "--as-of-delivery" in said and "MotherDuck" in said
    assert "--as-of 2025-01-01" in stores("materialize", "--help").stdout


def test_from_python(stores):
    import clearer_platform as cp

    load = {"table": "store_lifespan_original", "region": "eu", "home": str(stores.home)}
    assert list(cp.load(**load, as_of="2025-01-01", as_of_delivery=FIRST)["lifespan_days"]) == [61]
    with pytest.raises(ClearerError, match="as_of_delivery='soon' is not a day"):
        cp.load(**load, as_of_delivery="soon")


def test_materialize_as_of_a_date_serves_it_until_gold_is_built_without(own):
    (own.home / "eu/landing/stores" / f"stores-{SECOND}.csv").unlink()
    deliver(own.home, "2024-12-06", None)
    assert "1 day published" in own("materialize", "--only", "changed", "--as-of", "2025-01-01").stdout
    assert loaded(own) == [{"store_id": "a", "lifespan_days": 61, "as_of": "2025-01-01"}]
    states = {(cell["table"], cell["day"]): cell["state"] for cell in own.json("status")}
    assert states["stores", "2024-12-06"] == states["stores", FIRST] == "published"
    again = own("materialize", "--only", "changed", "--as-of", "2025-01-01")
    assert (again.stdout, again.stderr.splitlines()[-1]) == ("", "nothing to do")
    own("materialize", "--only", "changed", "--as-of", "2025-02-01")
    assert loaded(own)[0]["lifespan_days"] == 92
    own("materialize", "--only", "changed")
    assert loaded(own) == [{"store_id": "a", "lifespan_days": 35, "as_of": "2024-12-06"}]
