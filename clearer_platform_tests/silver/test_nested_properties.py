"""What must hold of any array: two ways to take it apart agree, and spans are chosen as their definition has it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clearer_platform.contracts.subscriptions import STORES, SUBSCRIPTION_PERIODS
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import elements
from clearer_platform.silver.arrays import elements as taken_apart
from clearer_platform.silver.bad import LOCATED
from clearer_platform.silver.header import Header
from clearer_platform.silver.nested import judge_nested
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.spans import overlapping
from clearer_platform.silver.sql import held, identifier
from clearer_platform.silver.validate import JUDGED, Share, Years
from clearer_platform_tests.conftest import EFFORT
from clearer_platform_tests.silver.nesting import INTERVALS, PERIODS, TABLE, StoreRegion, array, interval, period

SOURCE = TableSource(
    region="eu",
    table="stores",
    timezone="UTC",
    fold="earlier",
    gap="reject",
    csv=CsvFormat(datetime="%Y-%m-%d %H:%M:%S.%f"),
    columns=TABLE["columns"],
    nested=TABLE["nested"],
)
COLUMNS = tuple(c.name for c in SUBSCRIPTION_PERIODS.columns if c.name not in SUBSCRIPTION_PERIODS.key)
KEYS = ("price", "planName", "fromDate", "toDate", "billingOnDate", "note", "Note", "todate", "planname")
slow = settings(max_examples=60 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))

numbers = st.sampled_from(
    [
        "0",
        "-0",
        "1",
        "19.0",
        "19.90",
        "0.10",
        "1e2",
        "1E-7",
        "-1.5",
        "0.000001",
        "12345678901234567890",
        "9007199254740993.01",
    ]
)
strings = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        [
            '""',
            '"null"',
            '":1,"',
            '"\\":1,"',
            '" :2}"',
            '"},{"',
            '"2022-05-30 01:10:17.000000"',
            '"\\ud800"',
            '"\\u0000"',
        ]
    ),
)
flat = st.one_of(numbers, strings, st.sampled_from(["null", "true", "false"]))
nested = st.sampled_from(["[]", "{}", '[1.50,{"a":null}]', '{"b":"}{","b":1}', "[[]]"])
blanks = st.sampled_from(["", "", " ", "  ", "\n"])


@st.composite
def objects(draw: st.DrawFn) -> str:
    """An object whose members are mostly in order, and rarely not what is usual."""
    keys = draw(st.lists(st.sampled_from(KEYS[:6]), unique=True))
    if draw(st.integers(0, 3)):
        keys = sorted(keys, key=KEYS.index)
    if not draw(st.integers(0, 5)):
        keys.append(draw(st.sampled_from(KEYS)))
    colon = draw(st.sampled_from([":", ":", ": ", " : "]))
    values = st.one_of(flat, flat, flat, flat, nested)
    comma = draw(st.sampled_from([",", ",", ", ", ",\n"]))
    return f"{{{comma.join(f'{json.dumps(key)}{colon}{draw(values)}' for key in keys)}}}"


@st.composite
def arrays(draw: st.DrawFn) -> str:
    """A text that is an array, and rarely not quite."""
    element = st.one_of(objects(), objects(), objects(), objects(), flat, nested)
    text = f"[{draw(st.sampled_from([',', ', ', ' ,'])).join(draw(st.lists(element, max_size=5)))}]"
    if not draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + draw(st.sampled_from(["", ",", "]", '"', "}", "\\", "NaN", " "]))
            + text[at + draw(st.integers(0, 1)) :]
        )
    return text


@contextmanager
def records(texts: list[str]) -> Iterator[tuple[duckdb.DuckDBPyConnection, Judgement]]:
    """An engine in which these arrays stand in judged records."""
    parent = Judgement(STORES, SOURCE, Header(("store_id", "install_history", "subscription_history"), (), True))
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            f"CREATE TEMP TABLE {parent.table(JUDGED)} AS SELECT 0 AS _file, 's' AS {held('store_id')}, "
            f"'[]' AS {held('install_history')}, unnest($1::VARCHAR[]) AS {held('subscription_history')}, "
            "[]::VARCHAR[] AS _rules",
            [texts],
        )
        yield con, parent


def judged(texts: list[str]) -> list[tuple[Any, ...]]:
    """Every element of these arrays, typed and judged, in order."""
    with records(texts) as (con, parent), mock.patch("clearer_platform.silver.nested._located") as located:
        located.return_value = LOCATED.empty_table()
        years, shares = Years(set(range(2020, 2026))), [Share(mock.Mock(), 0, len(texts))]
        child = judge_nested(con, parent, SUBSCRIPTION_PERIODS, SOURCE.of_nested(PERIODS), shares, years)
        names = ["_row", *(column.name for column in SUBSCRIPTION_PERIODS.columns), "_rules", "_warnings", "_extra"]
        columns = ", ".join(map(held, names))
        return con.execute(f"SELECT {columns} FROM {child.table(JUDGED)} ORDER BY _row, {held('position')}").fetchall()


@slow
@given(st.lists(arrays(), max_size=20))
@example([f"[{period()}]", f"[{period(price='1.10', note='n')}]", f"[{period(price='1e2')}]"])
@example([f"[{period(note='', Note='N')}]", '[{"NOTE":1,"note":null}]'])
@example([f"[{period(note='n')}]"] * 3 + [f"[{period(note=None)},{period(note=5)}]"])
def test_the_engine_and_python_take_arrays_apart_alike(texts: list[str]) -> None:
    fast = judged(texts)
    with mock.patch.object(
        elements, "_taken_apart", lambda keys: f"NULL::STRUCT({', '.join(f'{identifier(k)} VARCHAR' for k in keys)})[]"
    ):
        assert fast == judged(texts)


@slow
@given(st.lists(arrays(), max_size=20))
def test_elements_are_those_of_pythons_json(texts: list[str]) -> None:
    """As many as there are, at their positions; one where the text is no array."""
    found: dict[int, list[int | None]] = {row: [] for row in range(len(texts))}
    for row, _, position, *_ in judged(texts):
        found[row].append(position)
    for row, text in enumerate(texts):
        try:
            value = json.loads(text, parse_constant=lambda name: json.loads("?"))
            expected = list(range(1, len(value) + 1)) if isinstance(value, list) else [None]
        except ValueError:
            expected = [None]
        assert found[row] == expected, text


@slow
@given(arrays())
def test_an_array_is_its_elements_and_what_lies_between(text: str) -> None:
    found = taken_apart(text)
    if found is not None:
        rest = text
        for element in found:
            before, _, rest = rest.partition(element.text)
            assert set(before) <= set(" \t\n\r[,")
        assert set(rest) <= set(" \t\n\r[]")


def test_usual_arrays_are_left_to_the_engine() -> None:
    """Numbers however written, a key that nobody knows, keys left out, blanks as Python writes them."""
    usual = [
        f"[{period(price='19.90')},{period(price='1e2', last=None)}]",
        f"[{period(**{'a note?': 'n'}, planName='Ü {},: []')}]".replace("\\u00dc", "Ü"),
        '[{"price": 5, "planName": "a", "fromDate": "2022-05-30 01:10:17.000000"}, {"planName": "b"}, {}]',
        "[]",
        '[{"price":1,"toDate":null}]',
    ]
    with records(usual[::-1] * 200) as (con, parent):
        child = Judgement(SUBSCRIPTION_PERIODS, SOURCE.of_nested(PERIODS), Header(COLUMNS, (), False))
        texts = elements.engine_elements(con, parent, child)
        found = con.execute(
            f"SELECT _row % 5, count(*), count(_fault) FROM {texts} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    assert found == [(0, 200, 0), (2, 600, 0), (3, 200, 0), (4, 400, 0)]


FIRST = date(2024, 1, 1)
days = st.integers(0, 12).map(lambda n: FIRST + timedelta(days=n))
spans = st.tuples(days, st.one_of(st.none(), st.integers(0, 6))).map(
    lambda s: (s[0], None if s[1] is None else s[0] + timedelta(days=s[1]))
)


def by_definition(found: list[tuple[date, date | None]]) -> dict[int, str]:
    """Each span in order against each accepted one before it."""
    accepted: list[tuple[date, date | None]] = []
    broken: dict[int, str] = {}
    for row, (first, last) in enumerate(found):
        against = [(f, until) for f, until in accepted if until is None or first < until]
        if not against:
            accepted.append((first, last))
        else:
            both_open = last is None and any(until is None for _, until in accepted)
            broken[row] = "record.second_open" if both_open else "record.overlaps"
    return broken


@settings(max_examples=500 * EFFORT, deadline=None)
@given(st.lists(spans, max_size=8))
def test_spans_are_chosen_as_defined(found: list[tuple[date, date | None]]) -> None:
    found.sort(key=lambda s: (s[0], s[1] or date.max))
    assert dict(overlapping((row, *span) for row, span in enumerate(found))) == by_definition(found)


@pytest.fixture
def stores(tmp_path: Path) -> Callable[[], StoreRegion]:
    made = iter(range(10_000))
    return lambda: StoreRegion(tmp_path / f"home{next(made)}")


@settings(max_examples=15 * EFFORT, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(spans, max_size=6), max_size=30))
def test_spans_in_a_delivery(stores: Callable[[], StoreRegion], found: list[list[tuple[date, date | None]]]) -> None:
    """The engine finds the groups in which there is a choice: none is missed, and none mixed with another."""
    region = stores()
    region.judge_stores(
        *((f"s{n}", array(*(interval(f"{a}", b and f"{b}") for a, b in store)), "[]") for n, store in enumerate(found))
    )
    rules = {(row["store_id"], row["position"]): row["_rules"] for row in region.rows(INTERVALS)}
    for n, store in enumerate(found):
        order = sorted(range(len(store)), key=lambda i: (store[i][0], store[i][1] or date.max, i))
        broken = by_definition([store[i] for i in order])
        expected = {(f"s{n}", i + 1): [broken[k]] if k in broken else [] for k, i in enumerate(order)}
        assert {place: rules.pop(place) for place in expected} == expected
    assert not rules
