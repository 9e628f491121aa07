"""What is wrong with some elements of an array: the everyday dirt of nested tables, as `dirt` has that of others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from clearer_platform.sample.rows import Element, Elements, Row

SHARE = 0.02  # of the records that a kind could befall


@dataclass(frozen=True)
class ElementKind:
    """One way in which an array in a column of a delivered table has an element that is rejected."""

    table: str
    column: str
    name: str
    why: str
    spoil: Callable[[Elements], Elements | None]
    """The array with the fault; None for one that cannot have it."""


def _one(change: Callable[[Element], Element | None]) -> Callable[[Elements], Elements | None]:
    """Spoil the first element that can be spoilt so."""

    def spoil(array: Elements) -> Elements | None:
        for place, element in enumerate(array.items):
            if changed := change(element):
                return Elements((*array.items[:place], changed, *array.items[place + 1 :]))
        return None

    return spoil


def _reversed(element: Element) -> Element | None:
    first, last = element.values["from_date"], element.values["to_date"]
    if not (isinstance(first, datetime) and isinstance(last, datetime)):
        return None
    return element.breaking("record.ends_after_it_starts", to_date=first - timedelta(days=2))


def _ended_otherwise(element: Element) -> Element | None:
    return element.breaking("end_type.isin", end_type="CUSTOMER_BORED") if element.values["to_date"] else None


def _within(array: Elements) -> Elements | None:
    """One more interval, in the midst of another."""
    for element in array.items:
        first, last = element.values["from_date"], element.values["to_date"]
        if isinstance(first, datetime) and isinstance(last, datetime) and last - first > timedelta(days=10):
            times = {"from_date": first + timedelta(days=3), "to_date": last - timedelta(days=3)}
            return Elements((*array.items, element.breaking("record.overlaps", **times)))
    return None


def _open_again(array: Elements) -> Elements | None:
    """One more interval that has not ended, later than the first such."""
    last = array.items[-1] if array.items else None
    begun = last and last.values["from_date"]
    if last is None or last.values["to_date"] is not None or not isinstance(begun, datetime):
        return None
    return Elements((*array.items, last.breaking("record.second_open", from_date=begun + timedelta(days=1))))


def _cut(array: Elements) -> Elements | None:
    return replace(array, is_cut=True) if len(array.items) > 1 else None


INSTALLED, SUBSCRIBED = ("stores", "install_history"), ("stores", "subscription_history")
ELEMENT_KINDS = (
    ElementKind(*INSTALLED, "an end before the start", "two clocks", _one(_reversed)),
    ElementKind(*INSTALLED, "an unknown way to end", "a type that no one agreed on", _one(_ended_otherwise)),
    ElementKind(*INSTALLED, "an interval within another", "an event that was booked twice", _within),
    ElementKind(*INSTALLED, "two open intervals", "an uninstall that never arrived", _open_again),
    ElementKind(*INSTALLED, "an array cut off", "a field with a limit", _cut),
    ElementKind(
        *SUBSCRIBED,
        "a negative price",
        "a refund booked as a plan",
        _one(lambda e: e.breaking("price.greater_than_or_equal_to", price=Decimal("-19.00"))),
    ),
    ElementKind(
        *SUBSCRIBED,
        "a price in words",
        "a value typed by hand",
        _one(lambda e: e.breaking("price.not_a_decimal", price="free")),
    ),
)


def with_spoiled_elements(table: str, rows: Sequence[Row], rng: Random) -> list[Row]:
    """The rows with a few arrays spoiled, one kind a row."""
    kinds = [kind for kind in ELEMENT_KINDS if kind.table == table]
    found = []
    for row in rows:
        kind = rng.choice(kinds) if kinds and rng.random() < SHARE else None
        array = row.values[kind.column] if kind else None
        spoilt = kind.spoil(array) if kind and isinstance(array, Elements) else None
        found.append(row.but(**{kind.column: spoilt}) if kind and spoilt else row)
    return found
