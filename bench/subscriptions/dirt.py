"""What may be wrong with an element: one small change to the JSON of a good one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

WRONG_DAY = '"2023-02-30 00:00:00.000000"'
LATER, EARLIER = '"2024-09-20 08:00:00.000000"', '"2022-01-15 08:00:00.000000"'


@dataclass(frozen=True)
class Element:
    """An element's keys and values as they are written: JSON texts, in the order in which they stand."""

    values: dict[str, str]

    @property
    def text(self) -> str:
        """The element as it is written."""
        return "{" + ",".join([f'"{key}":{value}' for key, value in self.values.items()]) + "}"

    def but(self, **values: str) -> "Element":
        """The same with other values; a further key comes last."""
        return replace(self, values={**self.values, **values})

    def without(self, key: str) -> "Element":
        """The same without a key."""
        return replace(self, values={k: v for k, v in self.values.items() if k != key})


Spoiler = Callable[[Element], Sequence[str]]
"""The texts that stand in an element's place."""


def _once(change: Callable[[Element], Element]) -> Spoiler:
    return lambda element: [change(element).text]


COMMON: tuple[Spoiler, ...] = (
    _once(lambda e: e.but(fromDate='"yesterday"')),
    _once(lambda e: e.but(fromDate="null")),
    _once(lambda e: e.without("fromDate")),
    _once(lambda e: e.but(toDate=WRONG_DAY)),
    _once(lambda e: e.but(toDate='"2024-09-20"')),
    _once(lambda e: e.but(comment='"nobody asked for this"')),  # kept and warned about
    lambda e: ["42"],
    lambda e: [e.text[:-1] + ',"fromDate":null}'],  # a key twice
    lambda e: [e.text[:-1] + ',"comment":null}'],
)
INTERVALS: tuple[Spoiler, ...] = (
    *COMMON,
    _once(lambda e: e.but(startType='"CUSTOMER_MOVED"')),
    _once(lambda e: e.but(endType='"CUSTOMER_LOST"')),
    _once(lambda e: e.but(toNow="false", toDate=EARLIER)),
    _once(lambda e: e.but(toNow="true", toDate=LATER)),
    _once(lambda e: e.but(toNow="false", toDate="null")),
    _once(lambda e: e.but(toNow='"maybe"')),
    _once(lambda e: e.but(toNow="null")),
    lambda e: [e.text, e.text],  # overlaps, but for an interval of a day
    lambda e: [e.but(toNow="true", toDate="null").text] * 2,
)
PERIODS: tuple[Spoiler, ...] = (
    *COMMON,
    _once(lambda e: e.but(price="-19.0")),
    _once(lambda e: e.but(price='"free"')),
    _once(lambda e: e.but(price="19.005")),
    _once(lambda e: e.but(price="null")),
    _once(lambda e: e.but(planName='" regular_1"')),
    _once(lambda e: e.but(planName='"regular\\u005f1"')),  # an escape, and all is well
    _once(lambda e: e.without("planName")),
    _once(lambda e: e.but(toDate=EARLIER)),
    _once(lambda e: e.but(billingOnDate='"soon"')),
)
ARRAYS: tuple[Callable[[str], str], ...] = (
    lambda text: text[:-2],
    lambda text: f'{{"all":{text}}}',
    lambda text: text[:-1] + ",]",
    lambda text: "nothing",
)
"""What may be wrong with an array as a whole."""
