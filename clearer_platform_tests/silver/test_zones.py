"""Local times to UTC exactly as zoneinfo has it, in any zone and year, gaps and folds by either policy."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from zoneinfo import ZoneInfo, available_timezones

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearer_platform.bronze import Extract, receive
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import zones
from clearer_platform_tests.silver.judging import DAY, NOON, Region

ZONES = sorted(available_timezones() - {"localtime"})
ODD = [
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia", "Asia/Tehran"),
    *("America/Sao_Paulo", "Europe/Dublin", "Antarctica/Troll", "Europe/Chisinau", "Africa/Monrovia", "UTC"),
    *("Asia/Gaza", "Europe/Amsterdam", "Pacific/Kwajalein", "America/Caracas"),
]


@lru_cache(maxsize=1)
def connection() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    return con


def source(zone: str, fold: str = "earlier", gap: str = "reject") -> TableSource:
    return TableSource(region="eu", table="t", timezone=zone, fold=fold, gap=gap, csv=CsvFormat(), columns={})  # type: ignore[arg-type]


def ask(zone: str, fold: str, locals_: list[datetime]) -> list[tuple[datetime, int, int | None]]:
    """UTC (naive), state and length of the gap, by the SQL."""
    one = source(zone, fold)
    years = {local.year for local in locals_}
    code = zones.code("p", one, years)
    values = ", ".join(f"({i}, TIMESTAMP '{local.isoformat(' ')}')" for i, local in enumerate(locals_))
    query = f"""
        SELECT p - to_seconds({zones.offset("z")}), {zones.state("z")}, {zones.gap_seconds("p", one, years)}
        FROM (SELECT i, p, {code} AS z FROM (VALUES {values}) t(i, p)) ORDER BY i"""
    return connection().execute(query).fetchall()


def expect(zone: str, fold: str, local: datetime) -> tuple[datetime, int, int | None]:
    """The same, by zoneinfo alone (PEP 495)."""
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=f).utcoffset() for f in (0, 1))
    assert first is not None and second is not None
    if first == second:
        return local - first, zones.NORMAL, None
    if first > second:
        return local - (second if fold == "later" else first), zones.FOLD, None
    return local - first, zones.GAP, round((second - first).total_seconds())


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(st.sampled_from(ODD), st.sampled_from(ZONES)),
    st.sampled_from(["earlier", "later"]),
    st.lists(st.datetimes(datetime(1850, 1, 3), datetime(2100, 12, 29)), min_size=1, max_size=3),
)
def test_any_time_in_any_zone(zone: str, fold: str, times: list[datetime]) -> None:
    """Random times, and those around every change of the clocks in their years."""
    near = [t.replace(microsecond=0) for t in times]
    for year in {t.year for t in times}:
        for change in zones.transitions(zone, year):
            for offset in (change.before, change.after):
                at = change.at + timedelta(seconds=offset)
                near += [at + timedelta(seconds=s) for s in (-3600, -1, 0, 1, 1799, 3600)]
    near = [t for t in near if t.year in {t.year for t in times}]
    assert ask(zone, fold, near) == [expect(zone, fold, t) for t in near]


@pytest.mark.parametrize("zone", ODD)
def test_every_hour_of_a_year(zone: str) -> None:
    """Nothing is found only because a test knows where to look."""
    hours = [datetime(2024, 1, 1) + timedelta(minutes=30 * i) for i in range(366 * 48)]
    assert ask(zone, "earlier", hours) == [expect(zone, "earlier", t) for t in hours]


def test_a_year_not_asked_for_is_null() -> None:
    code = zones.code("p", source("Europe/Berlin"), [2020, 2024])
    times = ["2019-12-31 23:59:59", "2020-01-01", "2022-07-01", "2024-12-31 23:59:59"]
    values = ", ".join(f"(TIMESTAMP '{time}')" for time in times)
    found = connection().execute(f"SELECT {code} IS NULL FROM (VALUES {values}) t(p)").fetchall()
    assert [row[0] for row in found] == [True, False, True, False]


@pytest.mark.parametrize("year", [1, 2, 9998, 9999])
def test_the_first_and_the_last_years(year: int) -> None:
    times = [datetime(year, 1, 2, 12), datetime(year, 7, 1), datetime(year, 12, 29, 12)]
    assert ask("Europe/Berlin", "earlier", times) == [expect("Europe/Berlin", "earlier", t) for t in times]


def test_an_instant_of_no_year_that_there_is() -> None:
    """Any of them would stop whoever reads the table into Python."""
    one = source("America/New_York")
    times = ["0001-01-01 00:00:00", "9999-12-31 18:59:59.999999", "9999-12-31 19:00:00", "9999-12-31 23:59:59"]
    beyond = zones.beyond("p", zones.code("p", one, [1, 9999]), [1, 9999])
    values = ", ".join(f"({n}, TIMESTAMP '{time}')" for n, time in enumerate(times))
    found = connection().execute(f"SELECT {beyond} FROM (VALUES {values}) t(i, p) ORDER BY i").fetchall()
    assert [row[0] for row in found] == [False, False, True, True]
    assert zones.beyond("p", "z", [2, 2024, 9998]) is None


LOCAL = "id,at,amount,born,note\na,2024-03-31 02:30:00,1,,\nb,2024-10-27 02:30:00,1,,\nc,2015-10-25 02:30:00,1,,\n"


@pytest.mark.parametrize(
    ("fold", "gap", "instants", "rules", "notes"),
    [
        (
            "earlier",
            "forward",
            ["2024-03-31T01:30", "2024-10-27T00:30", "2015-10-25T00:30"],
            [[], [], []],
            [["at.gap_forward"], ["at.fold_earlier"], ["at.fold_earlier"]],
        ),
        (
            "later",
            "reject",
            [None, "2024-10-27T01:30", "2015-10-25T01:30"],
            [["at.nonexistent_local_time"], [], []],
            [[], ["at.fold_later"], ["at.fold_later"]],
        ),
        (
            "reject",
            "reject",
            [None, None, None],
            [["at.nonexistent_local_time"], ["at.ambiguous_local_time"], ["at.ambiguous_local_time"]],
            [[], [], []],
        ),
    ],
)
def test_policies(make_region, fold, gap, instants, rules, notes) -> None:
    judged = make_region(fold=fold, gap=gap).judge(LOCAL)
    found = [row["at"] and row["at"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M") for row in judged.rows]
    assert found == instants
    assert [row["_rules"] for row in judged.rows] == rules
    assert [row["_warnings"] for row in judged.rows] == notes
    assert judged.outcome.warnings == {
        n: sum(n in some for some in notes) for n in sorted({n for s in notes for n in s})
    }


def test_the_event_day_is_local(make_region) -> None:
    """Also where it is another day in UTC, and where a time in a gap is moved over midnight (Samoa left out a day)."""
    region: Region = make_region(timezone="Pacific/Apia", gap="forward")
    times = ["2024-05-01 23:30:00", "2024-05-01 00:30:00", "2011-12-30 12:00:00", ""]
    judged = region.judge("id,at,amount,born,note\n" + "".join(f"a,{time},1,,\n" for time in times))
    assert [str(row["_event_day"]) for row in judged.rows] == ["2024-05-01", "2024-05-01", "2011-12-31", "None"]
    assert judged.rows[2]["at"].astimezone(UTC) == datetime(2011, 12, 30, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "days"),
    [("UTC", ["2024-05-01", "2024-05-01"]), ("Europe/Berlin", ["2024-05-02", "2024-05-01"])],
)
def test_the_event_day_of_an_instant_in_utc_is_that_of_the_region(make_region, zone, days) -> None:
    region: Region = make_region(timezone=zone, gap="forward")
    columns = ("id", "at", "amount", "born", "note")
    times = ["2024-05-01 23:30:00.000000", "2024-05-01 00:30:00.000000"]
    lines = [",".join(columns), *(f'"{i}",{time},1,\\N,\\N' for i, time in enumerate(times))]
    text = "".join(f"{line}\n" for line in lines)
    extract = Extract(columns=columns, longest=60, read_at=NOON, null="\\N", utc=("at",))
    table, layout = region.contract.name, region.platform.layout("eu")
    receive(layout, table, DAY, "f.csv", BytesIO(text.encode()), origin="test", extract=extract)
    rows = region.judged(*region.bring_up()).rows
    assert [str(row["_event_day"]) for row in rows] == days
    assert [f"{row['at'].astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" for row in rows] == times
