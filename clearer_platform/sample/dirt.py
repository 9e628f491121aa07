"""Everyday dirt: what is wrong, late or repeated in any day's files. One list, each entry with its name and its reason.

What befalls one file on one day (a truncated archive, a file that never comes) stands in `incidents.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from random import Random

from clearer_platform.regions import CsvFormat
from clearer_platform.sample.rows import Impossible, Row

BROKEN_SHARE = 0.008  # of a file's rows,
BROKEN_SHARES = {"hired_employees": 0.035}  # but for these tables
BROKEN_ROWS = 0.5  # or so many in a small file, on average; never more than a tenth of it, and none where it has
FEW = 12  # rows or fewer
REPEATED_SHARE = 0.006
CORRECTED_SHARE = 0.003
ORPHAN_SHARE = 0.002
LATE_SHARE = 0.015
LATE_BY = (1, 1, 2, 3)  # days
SETTLED_AFTER = (1, 1, 1, 2, 3)  # days until a pending transaction is completed or fails
STILL_PENDING = 0.08


@dataclass(frozen=True)
class Kind:
    """One way in which a row is broken."""

    table: str
    name: str
    why: str
    spoil: Callable[[Row, CsvFormat], Row]


def negative_amount(row: Row, _: CsvFormat) -> Row:
    """Below 0."""
    return row.breaking("total_amount.greater_than_or_equal_to", total_amount=-_number(row, "total_amount"))


def negative_and_unknown(row: Row, _: CsvFormat) -> Row:
    """Two rules at once."""
    rules = ("total_amount.greater_than_or_equal_to", "status_value.isin")
    return row.breaking(*rules, total_amount=-_number(row, "total_amount"), status_value="Refunded")


def foreign_decimal(row: Row, csv: CsvFormat) -> Row:
    """The other region's decimal sign: 12,5 where 12.5 is meant, or the reverse."""
    return row.breaking("total_amount.not_a_decimal", total_amount=f"12{',' if csv.decimal == '.' else '.'}5")


def stray_byte(column: str) -> Callable[[Row, CsvFormat], Row]:
    """A byte that the region's encoding does not have."""

    def spoil(row: Row, csv: CsvFormat) -> Row:
        byte = next(b for b in (0xFF, 0x81) if not _decodes(b, csv.encoding))
        return row.breaking("record.undecodable", **{column: f"{row.values[column] or ''}{chr(0xDC00 + byte)}"})

    return spoil


def _setting(rule: str, **values: str | int | date | Decimal | None) -> Callable[[Row, CsvFormat], Row]:
    return lambda row, _: row.breaking(rule, **values)


def _impossible(column: str, kind: str) -> Callable[[Row, CsvFormat], Row]:
    def spoil(row: Row, _: CsvFormat) -> Row:
        value = row.values[column]
        like = value if isinstance(value, date) else date(1985, 2, 1)
        return row.breaking(f"{column}.not_a_{kind}", **{column: Impossible(like)})

    return spoil


def _field_count(surplus: int) -> Callable[[Row, CsvFormat], Row]:
    return lambda row, _: replace(row.breaking("record.malformed"), surplus=surplus)


KINDS = (
    Kind("transactions", "negative amount", "a refund booked as a sale", negative_amount),
    Kind(
        "transactions",
        "unknown status",
        "a status that no one agreed on",
        _setting("status_value.isin", status_value="Refunded"),
    ),
    Kind("transactions", "two faults at once", "a row keeps every reason", negative_and_unknown),
    Kind("transactions", "no key", "the till was offline", _setting("transaction_id.missing", transaction_id=None)),
    Kind("transactions", "no customer", "a guest order", _setting("customer_id.missing", customer_id=None)),
    Kind("transactions", "impossible time", "31 February", _impossible("ordered_at", "timestamp")),
    Kind("transactions", "foreign decimal sign", "a value typed by hand", foreign_decimal),
    Kind("transactions", "a field too many", "a delimiter in an unquoted text", _field_count(1)),
    Kind("customers", "malformed e-mail", "no @", _setting("email.str_matches", email="anna.example.org")),
    Kind("customers", "impossible birthday", "31 February", _impossible("birth_date", "date")),
    Kind(
        "customers",
        "birthday before 1900",
        "a default of some form",
        _setting("birth_date.greater_than_or_equal_to", birth_date=date(1899, 12, 30)),
    ),
    Kind("customers", "unknown area", "an area abolished long ago", _setting("area.isin", area="Centre")),
    Kind("customers", "a field too few", "a record cut short", _field_count(-2)),
    Kind("customers", "stray byte", "text of another encoding pasted in", stray_byte("customer_name")),
    Kind(
        "products",
        "negative price",
        "a discount entered as a price",
        _setting("base_price.greater_than_or_equal_to", base_price=Decimal(-5)),
    ),
    Kind("products", "weight in words", "not a number", _setting("weight.not_a_decimal", weight="unknown")),
    Kind(
        "conversations",
        "negative likes",
        "a counter that overflowed",
        _setting("like_count.greater_than_or_equal_to", like_count=-1),
    ),
    Kind("conversations", "likes in letters", "not an integer", _setting("like_count.not_a_integer", like_count="1x")),
    Kind(
        "conversations",
        "undecided flag",
        "neither true nor false",
        _setting("is_hidden.not_a_boolean", is_hidden="maybe"),
    ),
    Kind("conversations", "no page", "the page was removed", _setting("page_id.missing", page_id=None)),
    Kind("conversations", "stray byte", "an emoji of a legacy phone", stray_byte("from_name")),
    Kind("hired_employees", "no name", "a form half filled in", _setting("name.missing", name=None)),
    Kind("hired_employees", "no time", "a date not agreed yet", _setting("datetime.missing", datetime=None)),
    Kind("hired_employees", "no department", "not assigned yet", _setting("department_id.missing", department_id=None)),
    Kind("hired_employees", "no job", "a job not described yet", _setting("job_id.missing", job_id=None)),
)


HABITS = (
    ("transactions", "repeated", "a row sent twice in a file"),
    ("transactions", "corrected", "a row sent again further down, with another amount"),
    ("transactions", "late", "a row delivered one to three days after its order"),
    ("transactions", "settled", "a pending transaction that a later file calls completed or failed"),
    ("transactions", "orphan", "a customer whom nobody delivered: accepted, and warned about"),
    ("transactions", "ambiguous hour", "orders in the hour that exists twice: 2024-10-27 in eu, 2024-11-03 in us"),
    ("transactions", "two ids", "one branch of each region goes by two ids"),
    ("conversations", "contradiction", "has_phone disagrees with phone_info"),
    ("conversations", "same message id", "some messages share one"),
    ("conversations", "line breaks", "texts of several lines, so that records and lines differ"),
    ("hired_employees", "waiting", "hires into a department that comes later, or never: accepted, and held back"),
)
"""What is untidy and breaks no rule (but for an ambiguous hour where the region rejects it): table, name, what."""


def spoiled(table: str, rows: Sequence[Row], csv: CsvFormat, rng: Random) -> list[Row]:
    """The rows with a few of them broken; a clean row of the same key is not delivered instead."""
    kinds = [kind for kind in KINDS if kind.table == table]
    if not kinds or len(rows) <= FEW:
        return list(rows)
    share = max(BROKEN_SHARES.get(table, BROKEN_SHARE), BROKEN_ROWS / len(rows))
    chosen = [index for index in range(len(rows)) if rng.random() < share][: max(1, len(rows) // 10)]
    found = list(rows)
    for index in chosen:
        found[index] = rng.choice(kinds).spoil(found[index], csv)
    return found


def repeated(rows: Sequence[Row], cent: Decimal, rng: Random) -> list[Row]:
    """Transactions with some rows sent twice, some corrected further down, and some of a customer whom nobody knows."""
    again: list[Row] = []
    kept: list[Row] = []
    for row in rows:
        luck = rng.random()
        if luck < REPEATED_SHARE:
            again.append(row)
        elif luck < REPEATED_SHARE + CORRECTED_SHARE:
            again.append(row.but(total_amount=_number(row, "total_amount") + 7 * cent))
        elif luck < REPEATED_SHARE + CORRECTED_SHARE + ORPHAN_SHARE:
            row = row.but(customer_id="C99999")
        kept.append(row)
    return kept + again


def delivered(sales: dict[date, list[Row]], days: Sequence[date], rng: Random) -> dict[date, list[Row]]:
    """What each day's delivery of transactions holds.

    Its orders but for those that are late, late ones of days before, and the new status of transactions that were
    pending. Nothing moves beyond the last day.
    """
    files: dict[date, list[Row]] = {day: [] for day in days}
    later: dict[date, list[Row]] = {day: [] for day in days}
    for index, day in enumerate(days):
        for row in sales[day]:
            at = index + (rng.choice(LATE_BY) if rng.random() < LATE_SHARE else 0)
            at = at if at < len(days) else index
            (files if at == index else later)[days[at]].append(row)
            settled = at + rng.choice(SETTLED_AFTER)
            if row.values["status_value"] == "Pending" and rng.random() > STILL_PENDING and settled < len(days):
                later[days[settled]].append(_settled(row, rng))
    return {day: files[day] + later[day] for day in days}


def _settled(row: Row, rng: Random) -> Row:
    status = rng.choices(("Completed", "Failed"), (85, 15))[0]
    return row.but(status_value=status, status="0" if status == "Completed" else "2")


def _number(row: Row, column: str) -> Decimal:
    value = row.values[column]
    assert isinstance(value, Decimal)
    return value


def _decodes(byte: int, encoding: str) -> bool:
    try:
        bytes([byte]).decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
