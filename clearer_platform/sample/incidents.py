"""What befalls single files: the list of incidents, and what each makes of the file that should have come.

An incident turns a file into the versions that arrive, each in its wave: none where it never comes, two where it comes
again. `day` counts from the first day; an incident beyond the sample's last day does not happen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from clearer_platform.sample.rows import File, Row, WallTime

WRONG_BRANCH = "Berlin Mitte"
WITHDRAWN = 3
STRAGGLERS = 15


@dataclass(frozen=True)
class Incident:
    """One thing that befalls one file."""

    name: str
    region: str
    table: str
    day: int
    befall: Callable[[File], list[File]]
    what: str


def never_comes(_: File) -> list[File]:
    """No version at all."""
    return []


def nothing_new(file: File) -> list[File]:
    """A header and no record."""
    return [file.but(rows=())]


def comes_late(file: File) -> list[File]:
    """The whole file in the second wave."""
    return [file.but(wave=2)]


def truncated(file: File) -> list[File]:
    """A compressed file cut off, and the whole one later."""
    return [file.but(truncated=True, refused=True), file.but(wave=2)]


def till_error(file: File) -> list[File]:
    """One branch's amounts ten times too high, put right later; some sales withdrawn, faults mended in the same go."""
    wrong = [
        _times_ten(row) if row.values["branch_name"] == WRONG_BRANCH and not row.broken else row for row in file.rows
    ]
    clean = [row for row in file.rows if not row.broken]
    return [file.but(rows=tuple(wrong)), file.but(wave=2, rows=tuple(clean[:-WITHDRAWN]))]


def _times_ten(row: Row) -> Row:
    amount = row.values["total_amount"]
    assert isinstance(amount, Decimal)
    return row.but(total_amount=amount * 10)


def stragglers(file: File) -> list[File]:
    """Orders of that day and of days before, in a second file for the same day."""
    good = [row for row in file.rows if not row.broken]
    by_day = good[len(good) // 2 :][:STRAGGLERS]
    late = [_earlier(row, n) for n, row in enumerate(by_day)]
    stem, dot, suffix = file.name.partition(".")
    return [file, file.but(wave=2, name=f"{stem}-late{dot}{suffix}", rows=tuple(late))]


def _earlier(row: Row, number: int) -> Row:
    at = row.values["ordered_at"]
    assert isinstance(at, datetime)
    return row.but(
        transaction_id=f"{row.values['transaction_id']}-L",
        ordered_at=at - timedelta(days=number % 6),
        status_value="Completed",
    )


def listed_later(file: File) -> list[File]:
    """A day that the service tells more of later: messages it had held back, and likes that have grown."""
    early = file.rows[: len(file.rows) - min(STRAGGLERS, len(file.rows) // 2)]
    return [file.but(rows=early), file.but(wave=2, rows=tuple(_liked(row) for row in file.rows))]


def _liked(row: Row) -> Row:
    likes = row.values["like_count"]
    return row.but(like_count=likes + 1) if isinstance(likes, int) and not row.broken else row


def without_price(file: File) -> list[File]:
    """A new export that lacks a required column: refused, the last good version stays."""
    return [file, file.but(wave=2, without=("base_price",), refused=True)]


def new_column(file: File) -> list[File]:
    """A column that no contract knows."""
    return [file.but(extra={"Khuyến mãi": "SALE10"})]


def tombstones(*keys: str) -> Callable[[File], list[File]]:
    """Customers who asked to be deleted: rows with a key and little more."""

    def befall(file: File) -> list[File]:
        nothing = dict.fromkeys(file.rows[0].values)
        graves = tuple(Row({**nothing, "customer_id": key, "is_deleted": True}) for key in keys)
        kept = tuple(row for row in file.rows if row.values["customer_id"] not in keys)
        return [file.but(rows=kept + graves)]

    return befall


def created_in_gap(local: datetime, *rules: str) -> Callable[[File], list[File]]:
    """A product created at a local time that does not exist."""

    def befall(file: File) -> list[File]:
        first, *others = file.rows
        return [file.but(rows=(first.breaking(*rules, created_at=WallTime(local)), *others))]

    return befall


def mistyped_rate(file: File) -> list[File]:
    """A dollar worth a third of what it is, put right later."""
    wrong = [_third(row) if row.values["currency"] == "USD" else row for row in file.rows]
    return [file.but(rows=tuple(wrong)), file.but(wave=2)]


def _third(row: Row) -> Row:
    rate = row.values["rate"]
    assert isinstance(rate, Decimal)
    return row.but(rate=(rate / 3).quantize(rate))


INCIDENTS = (
    Incident(
        "clock change, moved on", "eu", "products", 0, created_in_gap(datetime(2024, 3, 31, 2, 30)),
        "a product created in the hour that spring skipped; this region moves it forward",
    ),
    Incident(
        "clock change, rejected", "us", "products", 0,
        created_in_gap(datetime(2024, 3, 10, 2, 30), "created_at.nonexistent_local_time"),
        "the same in a region that rejects such times",
    ),
    Incident(
        "deletion", "eu", "customers", 3, tombstones("C10017", "C10101"),
        "two customers are deleted",
    ),
    Incident(
        "deletion", "jp", "customers", 5, tombstones("C10042"),
        "a customer is deleted",
    ),
    Incident(
        "wrong amounts", "eu", "transactions", 5, till_error,
        f"{WRONG_BRANCH}'s till is ten times too high; a changed file corrects it and withdraws some sales",
    ),
    Incident(
        "never comes", "vn", "conversations", 5, never_comes,
        "a file that is due and never comes",
    ),
    Incident(
        "nothing new", "vn", "products", 6, nothing_new,
        "a header and no record: a delivery of nothing, which is not missing",
    ),
    Incident(
        "comes late", "us", "departments", 5, comes_late,
        "a department that people were hired into the day before arrives with the second wave: they wait for it",
    ),
    Incident(
        "truncated archive", "jp", "transactions", 6, truncated,
        "a gzip cut off, refused as a whole; then sent again",
    ),
    Incident(
        "new column", "vn", "transactions", 6, new_column,
        "a column that the contract does not know: kept, and warned about",
    ),
    Incident(
        "comes late", "vn", "transactions", 7, comes_late,
        "a file that arrives with the second wave",
    ),
    Incident(
        "no rates", "eu", "fx_rates", 8, never_comes,
        "a working day without rates; the last known ones are used",
    ),
    Incident(
        "lost column", "us", "products", 9, without_price,
        "a second version lacks a required column and is refused; the first stays",
    ),
    Incident(
        "listed later", "us", "conversations", 10, listed_later,
        "the API has further messages and other likes when the day is read again",
    ),
    Incident(
        "mistyped rate", "eu", "fx_rates", 11, mistyped_rate,
        "a wrong dollar rate, corrected later: days of other regions are restated",
    ),
    Incident(
        "stragglers", "us", "transactions", 12, stragglers,
        "a second file for a day, with orders of days before",
    ),
)  # fmt: skip

STRAYS = (
    ("us", "returns/returns-2024-10-28.csv", "a table that the region does not deliver"),
    ("eu", "transactions/liesmich.txt", "a file that is no delivery"),
)
"""Files that lie in a landing folder and are no delivery: region, path below landing, why."""
