"""The truth adds up: on a story small enough to work out by hand, and over the whole sample."""

from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from clearer_platform import sample, silver
from clearer_platform.platform import Platform
from clearer_platform.sample.rows import Cell, Elements, File, Row, WallTime
from clearer_platform.sample.server import running
from clearer_platform.sample.truth import Slot
from clearer_platform.sample.world import load_world
from clearer_platform.sample.write import file_columns, open_platform
from clearer_platform_tests.sample.conftest import receive

MONDAY, TUESDAY, WEDNESDAY = date(2024, 10, 28), date(2024, 10, 29), date(2024, 10, 30)


def sale(key: str | None, at: datetime | WallTime, amount: str, status: str = "Completed", **others: Cell) -> Row:
    values: dict[str, Cell] = {
        "transaction_id": key,
        "ordered_at": at,
        "branch_name": "Köln Dom",
        "customer_id": "C1",
        "total_amount": Decimal(amount),
        "status_value": status,
        "product_id": "P1",
        "quantity": 2,
        "is_deleted": False,
    }
    return Row({**values, **others})


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 11, tzinfo=UTC)


def delivery(
    region: str, day: date, *rows: Row, wave: int = 1, refused: bool = False, table: str = "transactions"
) -> File:
    return File(region, table, day, f"{table}_{day}.csv", rows, wave, refused=refused)


def test_the_latest_accepted_row_of_a_key_counts_on_the_local_day_of_its_order(platform: Platform) -> None:
    late_evening = datetime(2024, 10, 28, 23, 30, tzinfo=UTC)  # half past midnight of Tuesday in Berlin
    files = [
        delivery(
            "eu",
            MONDAY,
            sale("a", noon(MONDAY), "10.10", "Pending"),
            sale("b", late_evening, "5.00"),
            sale("c", noon(MONDAY), "7.00"),
            sale("c", noon(MONDAY), "7.77", customer_id="C2"),
            sale("d", noon(MONDAY), "1.00").breaking("total_amount.greater_than_or_equal_to", total_amount=Decimal(-1)),
        ),
        delivery(
            "eu", TUESDAY, sale("a", noon(MONDAY), "10.10"), sale("e", noon(TUESDAY), "2.00", "Failed", product_id="P2")
        ),
    ]
    truth = sample.Truth(platform, files)
    days = truth.branch_days("eu")
    assert set(days) == {("Köln Dom", MONDAY), ("Köln Dom", TUESDAY)}
    monday, tuesday = days["Köln Dom", MONDAY], days["Köln Dom", TUESDAY]
    assert (monday.revenue, monday.gross, monday.transactions, monday.units) == (
        Decimal("17.87"),
        Decimal("17.87"),
        2,
        4,
    )
    assert (monday.customers, monday.products) == ({"C1", "C2"}, {"P1"})
    assert (tuesday.revenue, tuesday.failed, tuesday.pending) == (Decimal("5.00"), Decimal("2.00"), 0)
    assert (tuesday.gross, tuesday.statuses, tuesday.units) == (Decimal("7.00"), {"Completed": 1, "Failed": 1}, 2)
    assert sample.Truth(platform, files[:1]).branch_days("eu")["Köln Dom", MONDAY].pending == Decimal("10.10")


def test_a_customer_converses_from_the_local_day_of_the_first_message_on(platform: Platform) -> None:
    def message(key: str, at: datetime) -> Row:
        return Row({"conversation_id": key, "customer_id": "C1", "inserted_at": at, "is_deleted": False})

    evening = datetime(2024, 10, 29, 1, 0, tzinfo=UTC)  # still Monday in New York
    files = [
        delivery("us", MONDAY, sale("a", noon(MONDAY), "1.00"), sale("b", noon(date(2024, 10, 27)), "1.00")),
        delivery("us", TUESDAY, message("m", noon(WEDNESDAY)), message("n", evening), table="conversations"),
    ]
    days = sample.Truth(platform, files).branch_days("us")
    assert {day: figures.conversing for (_, day), figures in days.items()} == {
        MONDAY: {"C1"},
        date(2024, 10, 27): set(),
    }


def test_a_newer_version_replaces_its_slot_unless_it_is_refused(platform: Platform) -> None:
    first = delivery("eu", MONDAY, sale("a", noon(MONDAY), "100.00"), sale("gone", noon(MONDAY), "1.00"))
    second = delivery("eu", MONDAY, sale("a", noon(MONDAY), "10.00"), wave=2)
    refused = delivery("eu", TUESDAY, sale("x", noon(TUESDAY), "3.00"), wave=2, refused=True)
    good = delivery("eu", TUESDAY, sale("y", noon(TUESDAY), "4.00"))
    never_good = delivery("eu", WEDNESDAY, sale("z", noon(WEDNESDAY), "9.00"), refused=True)

    def revenue(waves: int) -> dict[date, Decimal]:
        days = sample.Truth(platform, [first, second, refused, good, never_good], waves).branch_days("eu")
        return {day: figures.revenue for (_, day), figures in days.items()}

    assert revenue(1) == {MONDAY: Decimal("101.00"), TUESDAY: Decimal("4.00")}
    assert revenue(2) == {MONDAY: Decimal("10.00"), TUESDAY: Decimal("4.00")}


def test_tombstones_delete_and_later_rows_bring_back(platform: Platform) -> None:
    def customer(key: str, *, is_deleted: bool = False) -> Row:
        return Row({"customer_id": key, "is_deleted": is_deleted})

    files = [
        delivery("eu", MONDAY, customer("C1"), customer("C2"), table="customers"),
        delivery("eu", TUESDAY, customer("C1", is_deleted=True), customer("C2", is_deleted=True), table="customers"),
        delivery("eu", WEDNESDAY, customer("C2"), table="customers"),
    ]
    assert sample.Truth(platform, files[:2]).latest("eu", "customers") == {}
    assert set(sample.Truth(platform, files).latest("eu", "customers")) == {("C2",)}


def test_clock_changes_follow_each_regions_policy(platform: Platform) -> None:
    twice = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, as is an hour later
    rows = (
        sale("a", twice, "1.00"),
        sale("b", twice.replace(hour=1), "1.00"),
        sale("c", twice.replace(hour=2), "1.00"),
    )
    (europe,) = sample.Truth(platform, [delivery("eu", MONDAY, *rows)]).published.values()
    assert (europe.rejected, europe.notes) == ({}, {"ordered_at.fold_earlier": 2})

    twice = datetime(2024, 11, 3, 5, 30, tzinfo=UTC)  # 01:30 in New York, as is an hour later
    rows = (
        sale("a", twice.replace(hour=4), "1.00"),
        sale("b", twice, "1.00", branch_name="two\nlines"),
        sale("c", twice.replace(hour=6), "1.00"),
        sale("d", WallTime(datetime(2024, 3, 10, 2, 30)), "1.00"),
    )
    (america,) = sample.Truth(platform, [delivery("us", MONDAY, *rows)]).published.values()
    ambiguous = ("ordered_at.ambiguous_local_time",)
    assert america.rejected == {3: ambiguous, 5: ambiguous, 6: ("ordered_at.nonexistent_local_time",)}


def test_a_day_without_a_rate_uses_the_last_one_known(platform: Platform) -> None:
    def rate(currency: str, day: date, value: str) -> Row:
        return Row({"currency": currency, "day": day, "rate": Decimal(value)})

    files = [
        delivery("eu", MONDAY, rate("USD", MONDAY, "0.9"), table="fx_rates"),
        delivery("eu", WEDNESDAY, rate("USD", WEDNESDAY, "0.3"), table="fx_rates"),
        delivery("eu", WEDNESDAY, rate("USD", WEDNESDAY, "0.8"), table="fx_rates", wave=2),
    ]
    truth = sample.Truth(platform, files)
    assert [truth.rate("USD", day) for day in (MONDAY, TUESDAY, WEDNESDAY)] == [
        Decimal("0.9"),
        Decimal("0.9"),
        Decimal("0.8"),
    ]
    assert truth.rate("EUR", MONDAY) == 1
    assert truth.rate("USD", date(2024, 10, 27)) is None
    assert sample.Truth(platform, files, waves=1).rate("USD", WEDNESDAY) == Decimal("0.3")


def test_the_whole_sample_adds_up(platform: Platform, truth: sample.Truth) -> None:
    for version in truth.published.values():
        assert version.accepted + len(version.rejected) == version.delivered
        assert version.share <= platform.contract(version.file.table).max_rejected / 1.5, version.file.name
    for region in platform.registry.regions:
        latest, days = truth.latest(region, "transactions"), truth.branch_days(region)
        assert sum(figures.transactions for figures in days.values()) == len(latest) > 500
        amounts = [row.values["total_amount"] for row in latest.values()]
        assert sum(figures.gross for figures in days.values()) == sum(a for a in amounts if isinstance(a, Decimal))
        assert all(date(2024, 10, 24) <= day <= date(2024, 11, 6) for _, day in days)


def test_the_second_wave_changes_days_it_should(home: object, platform: Platform, truth: sample.Truth) -> None:
    first = sample.Truth(platform, truth.files, waves=1)

    def changed(region: str) -> set[tuple[str, date]]:
        before, after = first.branch_days(region), truth.branch_days(region)
        return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}

    berlin = "Berlin Mitte", date(2024, 10, 29)
    assert berlin in changed("eu")
    wrong, right = first.branch_days("eu")[berlin], truth.branch_days("eu")[berlin]
    assert wrong.revenue > 5 * right.revenue
    assert {day for _, day in changed("jp")} >= {date(2024, 10, 30)}
    assert not [
        key
        for key in first.branch_days("vn")
        if key[1] == date(2024, 10, 31) and first.branch_days("vn")[key].transactions > 10
    ]
    assert len({day for _, day in changed("us")}) >= 4
    assert first.rate("USD", date(2024, 11, 4)) != truth.rate("USD", date(2024, 11, 4))


def test_silver_agrees_with_the_truth(tmp_path: Path) -> None:
    sample.write(tmp_path, per_day=40)
    platform = open_platform(tmp_path)
    with running(tmp_path):
        assert disagreements(platform, sample.expected(tmp_path, waves=1)) == []
        sample.second_wave(tmp_path)
        assert disagreements(platform, sample.expected(tmp_path, waves=2)) == []


def disagreements(platform: Platform, truth: sample.Truth) -> list[str]:
    """Deliver what has landed, bring silver up, and list every slot of which silver says something else."""
    found = []
    states: dict[Slot, silver.SlotState] = {}
    for region in platform.registry.regions.values():
        for table in region.tables:
            receive(platform, region.name, table)
            for state in silver.bring_up(platform, region.name, table):
                states[region.name, table, state.slot.day, state.slot.name] = state
    if states.keys() != truth.versions.keys():
        found.append(f"slots: {sorted(states.keys() ^ truth.versions.keys())}")
    for slot in sorted(states.keys() & truth.versions.keys()):
        state = states[slot]
        is_refused = truth.versions[slot][0].file.refused
        if (bool(state.refused), state.is_current) != (is_refused, True):
            found.append(f"{slot}: refused {[o.problems for o in state.refused]}, is_current {state.is_current}")
        found += [
            f"{slot}: {text}" for text in _differences(platform, slot, state.published, truth.published.get(slot))
        ]
    return found


def _differences(
    platform: Platform, slot: Slot, outcome: silver.Outcome | None, expected: sample.FileTruth | None
) -> list[str]:
    if outcome is None or expected is None:
        return [] if outcome is expected else [f"published {outcome}, not {expected}"]
    says = (outcome.delivered, outcome.accepted, outcome.rejected, outcome.rules, outcome.extra_columns)
    truly = (expected.delivered, expected.accepted, len(expected.rejected), expected.rules, list(expected.file.extra))
    region, table, day, name = slot
    rows = pq.read_table(platform.layout(region).silver_file(table, day, name)).to_pylist()
    lines = {row["_line"]: tuple(sorted(row["_rules"])) for row in rows if row["_rules"]}
    noted = Counter(w for row in rows if not row["_rules"] for w in row["_warnings"] if ".fold_" in w or ".gap_" in w)
    compared = (("outcome", says, truly), ("lines", lines, expected.rejected), ("notes", noted, expected.notes))
    found = [f"{what}: {silver_says}, not {true}" for what, silver_says, true in compared if silver_says != true]
    return found or _wrong_values(platform, expected.file, rows)


def _wrong_values(platform: Platform, file: File, rows: list[dict[str, Any]]) -> list[str]:
    """The columns in which an accepted row of silver holds another value than was made."""
    source = platform.region(file.region).source(file.table)
    columns = file_columns(platform.contract(file.table), load_world(file.region).optional[file.table])
    found = []
    for made, row in zip(file.rows, sorted(rows, key=lambda row: row["_line"]), strict=True):
        # Arrays are compared element by element in test_elements.py.
        plain = [c for c in columns if not row["_rules"] and not isinstance(made.values[c], Elements)]
        values = {c: as_read(made.values[c], ZoneInfo(source.timezone)) for c in plain}
        found += [f"line {row['_line']}, {c}: {row[c]!r}, not {v!r}" for c, v in values.items() if row[c] != v]
    return found


def as_read(value: Cell, zone: ZoneInfo) -> object:
    """A value as it must be read: the earlier of two instants with the same local time, a gap moved forward."""
    if isinstance(value, WallTime):
        return value.local.replace(tzinfo=zone).astimezone(UTC)
    return value.astimezone(zone).replace(fold=0).astimezone(UTC) if isinstance(value, datetime) else value
