"""What a region says of its holidays and its fiscal year, and what of it cannot be."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from clearer_platform.errors import RegistryError
from clearer_platform.regions import Registry, load_registry


def registry(folder: Path, region: str = "", calendar: str = "") -> Registry:
    path = folder / "regions.toml"
    block = '[regions.eu]\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\nroot = "eu"\n'
    path.write_text(f"{calendar}\n{block}{region}\n")
    return load_registry(path)


@pytest.mark.parametrize(
    ("code", "holidays", "ordinary"),
    [
        # Reformation Day is a holiday of all Germany in 2017 alone; Epiphany is one in Bavaria.
        ("DE", {"2024-10-03", "2024-03-29", "2024-12-26", "2017-10-31"}, {"2024-01-06", "2024-12-24", "2018-10-31"}),
        ("DE-BY", {"2024-01-06", "2024-11-01", "2024-10-03"}, {"2024-10-31"}),
        ("US", {"2024-11-28", "2024-07-04", "2021-07-05", "2024-01-15"}, {"2024-11-29", "1985-01-21"}),
    ],
)
def test_public_holidays(tmp_path: Path, code: str, holidays: set[str], ordinary: set[str]) -> None:
    found = {f"{day}" for day in registry(tmp_path, f'holidays = "{code}"').holidays("eu")}
    assert holidays <= found
    assert not ordinary & found
    assert ("1970" <= min(found)[:4] <= "1991", max(found)[:4]) == (True, "2069")


def test_own_holidays_stand_beside_the_public_ones(tmp_path: Path) -> None:
    own = 'own_holidays = { "2024-12-27" = "Company day", "2024-12-25" = "Party" }'
    found = registry(tmp_path, f'holidays = "DE"\n{own}').holidays("eu")
    assert found[date(2024, 12, 27)] == "Company day"
    assert found[date(2024, 12, 25)] == "Erster Weihnachtstag; Party"
    assert list(registry(tmp_path, own).holidays("eu")) == [date(2024, 12, 25), date(2024, 12, 27)]
    assert registry(tmp_path).holidays("eu") == {}


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [("XX", "regions.eu: .*unknown country 'XX'", "DE"), ("DE-XX", "regions.eu: .*DE has no part 'XX'", "BY")],
)
def test_an_unknown_country_says_which_are_known(tmp_path: Path, code: str, message: str, hint: str) -> None:
    with pytest.raises(RegistryError, match=message) as raised:
        registry(tmp_path, f'holidays = "{code}"').holidays("eu")
    assert hint in (raised.value.hint or "").removeprefix("known: ").split(", ")


@pytest.mark.parametrize(
    ("region", "calendar", "message"),
    [
        ('holidays = "Germany"', "", "regions.eu.holidays: .*no country such as DE"),
        ('own_holidays = { "2023-02-29" = "x" }', "", "own_holidays.*day is out of range"),
        ('own_holidays = { "1735257600" = "x" }', "", "own_holidays"),
        ('own_holidays = { "2070-01-01" = "x" }', "", "2070-01-01 is not in the calendar .1970-01-01 to 2069-12-31"),
        ('fiscal_year_starts = "02-29"', "", "fiscal_year_starts.*every month has"),
        ('fiscal_year_starts = "13-01"', "", "fiscal_year_starts"),
        ('fiscal_year_starts = "April"', "", "fiscal_year_starts.*such as 04-01"),
        ("", "[calendar]\nfirst = 2000-01-02", "calendar: .*whole years"),
        ("", "[calendar]\nfirst = 2070-01-01", "calendar: .*last comes after first"),
        ("", "[calendar]\nlast = 9999-12-31", "at most 500 years"),
    ],
)
def test_what_cannot_be(tmp_path: Path, region: str, calendar: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        registry(tmp_path, region, calendar)


def test_the_library_is_not_imported_to_read_a_registry(tmp_path: Path) -> None:
    registry(tmp_path, 'holidays = "DE"')
    code = (
        "import sys; from pathlib import Path; from clearer_platform.regions import load_registry;"
        f"load_registry(Path({str(tmp_path / 'regions.toml')!r})); sys.exit('holidays' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
