"""`clearer aside` and what `clearer status` says of it."""

import pytest

from clearer_platform.platform import Platform
from clearer_platform.settings import Settings
from clearer_platform.sources.aside import set_aside, strays


@pytest.fixture
def home(empty):
    """Two files set aside: of a table that us does not deliver, and of a region that there is not."""
    for below in ("us/landing/weather/w-2024-03-30.csv", "mars/landing/customers/c-2024-03-30.csv"):
        path = empty.home / below
        path.parent.mkdir(parents=True)
        path.write_text("x")
    for stray in strays(Platform.open(Settings(home=empty.home, _env_file=None))):
        set_aside(stray)
    return empty


def test_list_and_restore(home):
    shown = home("aside", "list").stdout
    assert "us/weather/w-2024-03-30.csv" in shown and "region us delivers no table called 'weather'" in shown
    assert "mars/customers/c-2024-03-30.csv" in shown and "there is no region whose root is mars" in shown
    (only,) = home.json("aside", "list", "--region", "us")
    assert (only["region"], only["file"]) == ("us", "weather/w-2024-03-30.csv")
    assert "us/weather" in home("aside", "restore", "us/weather/w-2024-03-30.csv").stdout
    assert (home.home / "us/landing/weather/w-2024-03-30.csv").read_text() == "x"
    home("aside", "restore", "--all")
    assert (home.home / "mars/landing/customers/c-2024-03-30.csv").read_text() == "x"
    assert "nothing was set aside" in home("aside", "list").stdout
    assert home.json("aside", "list") == []


def test_errors_say_what_to_do(home):
    assert "no file us/nothing.csv was set aside" in home.error("aside", "restore", "us/nothing.csv")
    assert "--all" in home.error("aside", "restore", code=2)
    back = home.home / "us/landing/weather/w-2024-03-30.csv"
    back.parent.mkdir(parents=True, exist_ok=True)
    back.write_text("newer")
    assert "is there already" in home.error("aside", "restore", "us/weather/w-2024-03-30.csv")
    assert back.read_text() == "newer"


def test_status_counts_them_and_says_why(home):
    shown = home("status").stdout
    assert "2 files set aside:" in shown
    assert "us/weather/w-2024-03-30.csv: region us delivers no table called 'weather'" in shown
    only = home("status", "--region", "us").stdout
    assert "1 file set aside:" in only and "mars" not in only
    assert isinstance(home.json("status"), list)
