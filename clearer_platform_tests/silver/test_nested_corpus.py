"""Arrays by hand, with what must come of each element: the list of rules that it breaks, none where it is accepted.

An array that cannot be taken apart is one element without a position.
"""

from pathlib import Path

import pytest

from clearer_platform_tests.silver.nesting import INTERVALS, PERIODS, StoreRegion, array, interval, period

A, B = interval("2022-05-01", "2022-05-31"), interval("2022-07-01", "2022-07-31")
OPEN = interval("2022-05-01", None)
WHOLE = [(None, ["install_history.malformed"])]
MALFORMED, OVERLAPS, SECOND = ["record.malformed"], ["record.overlaps"], ["record.second_open"]
NOT_A_DECIMAL = ["price.not_a_decimal"]


def places(*rules: list[str]) -> list[tuple[int | None, list[str]]]:
    """Elements in order."""
    return list(enumerate(rules, 1))


ARRAYS = [
    # Nothing in it.
    ("[]", []),
    (" [ ] \n", []),
    ("", []),
    # Not an array as a whole.
    ("null", WHOLE),
    ("{}", WHOLE),
    ("[", WHOLE),
    ("]", WHOLE),
    ("x", WHOLE),
    (" ", WHOLE),
    (A, WHOLE),
    (f"[{A}", WHOLE),
    (f"[{A[:-9]}", WHOLE),
    (f"[{A},]", WHOLE),
    (f"[,{A}]", WHOLE),
    (f"[{A}{B}]", WHOLE),
    (f"[{A};{B}]", WHOLE),
    (f"[{A}] x", WHOLE),
    (f"[{A}][]", WHOLE),
    (f"[{A}, // the first\n{B}]", WHOLE),
    (f"[{A[:-1]},}}]", WHOLE),
    (f"[{A.replace(':false', ':NaN')}]", WHOLE),
    (f"[{A.replace(':false', ':Infinity')}]", WHOLE),
    (f"[{A.replace(':false', ':FALSE')}]", WHOLE),
    (f"[{A.replace(':false', ' false')}]", WHOLE),
    (f"[{A.replace(',', '', 1)}]", WHOLE),
    (f"[{A}]".replace('"', "'"), WHOLE),
    ('[{"toNow":01}]', WHOLE),
    ('[{"toNow":"a\nb"}]', WHOLE),
    ('[{"toNow":"\\x"}]', WHOLE),
    ('[{"a":' * 101, WHOLE),
    (f"[{'[' * 3000}{']' * 3000}]", WHOLE),
    (f"[{'[' * 100}{']' * 100}]", WHOLE),
    (f"[{'[' * 99}{']' * 99},{A}]", [(1, MALFORMED), (2, [])]),
    # Elements that are no objects, or hold what is no text.
    (f"[{A},null,{B}]", places([], MALFORMED, [])),
    (f"[1,{A}]", places(MALFORMED, [])),
    (f'[{A},"x",[],[{B}],true]', places([], *[MALFORMED] * 4)),
    (f'[{{"toNow":true,"toNow":false}},{A}]', places(MALFORMED, [])),
    (f'[{{"x":{{"y":1,"y":2}}}},{A}]', places(MALFORMED, [])),
    (f'[{{"x":{{"y":1,"y":2}},"z":NaN}},{A}]', WHOLE),
    (f'[{A[:-1]},"n":"\\u0000"}},{B}]', places(MALFORMED, [])),
    (f'[{A[:-1]},"n":"\\ud800"}},{B}]', places(MALFORMED, [])),
    (f'[{A[:-1]},"\\udc00":1}},{B}]', places(MALFORMED, [])),
    (f'[{A[:-1]},"n":"\\ud83d\\ude00 \\\\u0000 \\"}}{{"}},{B}]', places([], [])),
    # Written otherwise, the same.
    (f"[\n  {A},\r\n\t{B} ]", places([], [])),
    (array(A, B).replace(',"', ', "').replace('":', '": '), places([], [])),
    (array(A.replace("toNow", "to\\u004eow"), B), places([], [])),
    ('[{"fromDate":"2022-05-01 00:00:00.0","toNow":true}]', places([])),
    ('[{"toNow":"true","fromDate":"2022-05-01 00:00:00.000000"}]', places([])),
    # Rules of single elements.
    ("[{}]", places(["to_now.missing", "from_date.missing"])),
    ('[{"toNow":null,"fromDate":null}]', places(["to_now.missing", "from_date.missing"])),
    (f"[{OPEN.replace('true', '1')}]", places(["to_now.not_a_boolean"])),
    (f"[{OPEN.replace('true', '{}')}]", places(["to_now.not_a_boolean"])),
    (f"[{OPEN.replace('true', '[true]')}]", places(["to_now.not_a_boolean"])),
    (f"[{interval('2022-02-30', None)}]", places(["from_date.not_a_timestamp"])),
    (f"[{interval('1970-01-01', None)}]", places([])),
    (f"[{interval('0001-01-01', None)}]", places(["from_date.greater_than_or_equal_to"])),
    (f"[{interval('2022-05-01', None, fromDate=20220501)}]", places(["from_date.not_a_timestamp"])),
    (f"[{interval('2022-05-01', None, fromDate='')}]", places(["from_date.not_a_timestamp"])),
    (f"[{interval('2022-05-01', None, startType='CUSTOMER_BORED')}]", places(["start_type.isin"])),
    (f"[{interval('2022-05-01', '2022-05-02', endType='')}]", places(["end_type.isin"])),
    (f"[{interval('2022-05-02', '2022-05-01')}]", places(["record.ends_after_it_starts"])),
    (f"[{interval('2022-05-01', None, toNow=False)}]", places(["record.open_exactly_when_installed"])),
    (f"[{interval('2022-05-01', '2022-05-02', toNow=True)}]", places(["record.open_exactly_when_installed"])),
    # Intervals against each other: by first day, last day and position, whatever their order in the array.
    (array(A, B), places([], [])),
    (array(B, A), places([], [])),
    (array(A, A), places([], OVERLAPS)),
    (array(OPEN, OPEN), places([], SECOND)),
    (array(OPEN, B), places([], OVERLAPS)),
    (array(B, OPEN), places(OVERLAPS, [])),
    (array(A, interval("2022-05-31", "2022-07-01"), B), places([], [], [])),
    (array(A, interval("2022-05-30", "2022-07-01"), B), places([], OVERLAPS, [])),
    (array(interval("2022-05-31", "2022-05-31"), A), places([], [])),
    (array(interval("2022-05-15", "2022-05-15"), A), places(OVERLAPS, [])),
    (array(interval("2022-05-01", "2022-05-01"), A), places([], [])),
    # The third overlaps the second alone, which is not accepted.
    (array(A, interval("2022-05-15", "2022-07-15"), interval("2022-06-15", "2022-06-30")),
     places([], OVERLAPS, [])),
    # A second open one that begins after a closed one has ended, and one that begins within it.
    (array(interval("2022-06-01", None), A, interval("2022-08-01", None)), places([], [], SECOND)),
    (array(A, interval("2022-05-15", None), interval("2022-08-01", None)), places([], OVERLAPS, [])),
    # What broke a rule of its own takes no part.
    (array(interval("2022-05-01", None, toNow=False), OPEN), places(["record.open_exactly_when_installed"], [])),
]  # fmt: skip
ELEMENTS = [
    (period(), []),
    (period(price="19"), []),
    (period(price="19.90"), []),
    (period(price="-0"), []),
    (period(price="0.01"), []),
    (period(price='"19.0"'), []),
    (period(price="9007199254740993.01"), []),
    (period(price="12345678901234567.00"), NOT_A_DECIMAL),
    (period(price="1.005"), NOT_A_DECIMAL),
    (period(price="1.000"), NOT_A_DECIMAL),
    (period(price="1e2"), NOT_A_DECIMAL),
    (period(price="1E+2"), NOT_A_DECIMAL),
    (period(price='"19,0"'), NOT_A_DECIMAL),
    (period(price='" 19.0"'), NOT_A_DECIMAL),
    (period(price="true"), NOT_A_DECIMAL),
    (period(price="null"), ["price.missing"]),
    (period(price="-0.01"), ["price.greater_than_or_equal_to"]),
    (period(planName=""), ["plan_name.str_matches"]),
    (period(planName="null"), []),
    (period(planName=5), []),
    (period(planName='":5,"'), []),
    (period(planName=":5,}]"), []),
    (period(planName="a},{b"), []),
    (period(planName="Übergröße 大 \U0001f600"), []),
    (period(planName="X").replace("X", "Übergröße 大 \U0001f600"), []),
    (period(last=None), []),
    (period(first="1969-12-31"), ["from_date.greater_than_or_equal_to"]),
    (period(last="9999-12-31"), []),
    (period(last="2022-05-01"), ["record.ends_after_it_starts"]),
    (period(billingOnDate="2022-13-01 00:00:00.000000"), ["billing_on_date.not_a_timestamp"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> StoreRegion:
    """Every array and element in one delivery: an array a store, an element alone and among others."""
    region = StoreRegion(tmp_path_factory.mktemp("corpus") / "home")
    arrays = [(f"a{n}", text, "[]") for n, (text, _) in enumerate(ARRAYS)]
    alone = [(f"e{n}", "[]", array(element)) for n, (element, _) in enumerate(ELEMENTS)]
    among = [(f"m{n}", "[]", array(element, "0", period())) for n, (element, _) in enumerate(ELEMENTS)]
    region.judge_stores(*arrays, *alone, *among)
    return region


def of_store(region: StoreRegion, table: str, store: str) -> list[tuple[int | None, list[str]]]:
    return [(row["position"], row["_rules"]) for row in region.rows(table) if row["store_id"] == store]


@pytest.mark.parametrize("number", range(len(ARRAYS)))
def test_install_intervals(judged: StoreRegion, number: int) -> None:
    text, expected = ARRAYS[number]
    assert of_store(judged, INTERVALS, f"a{number}") == expected, text


@pytest.mark.parametrize("number", range(len(ELEMENTS)))
def test_subscription_periods(judged: StoreRegion, number: int) -> None:
    element, rules = ELEMENTS[number]
    assert of_store(judged, PERIODS, f"e{number}") == [(1, rules)], element
    assert of_store(judged, PERIODS, f"m{number}") == places(rules, MALFORMED, []), element


def test_the_corpus_is_counted(judged: StoreRegion) -> None:
    """By hand: what each array comes to; the stores themselves are all accepted but for the one without an array."""
    expected = [rules for _, elements in ARRAYS for _, rules in elements]
    outcome = judged.state(INTERVALS).published
    assert (outcome.delivered, outcome.accepted) == (len(expected), expected.count([]))
    assert judged.state("stores").published.rejected == 1


def test_prices_are_exact(tmp_path: Path) -> None:
    """No detour by a binary fraction."""
    region = StoreRegion(tmp_path / "home")
    prices = ["0.1", "0.29", "1.10", "9007199254740993.01", "1234567890123456.78"]
    region.judge_stores(("s", "[]", array(*(period(price=price) for price in prices))))
    assert [f"{row['price']}" for row in region.rows(PERIODS)] == [
        *("0.10", "0.29", "1.10", "9007199254740993.01", "1234567890123456.78")
    ]


def test_days_are_the_sources_local_ones(tmp_path: Path) -> None:
    """In Berlin the first ends and the second begins on 1 June, in UTC on the last of May: there they only touch."""
    first = interval("2022-05-01", "2022-05-31", toDate="2022-06-01 00:30:00.0")
    second = interval("2022-06-01", None, fromDate="2022-06-01 00:10:00.0")
    third = interval("2022-05-31", None, fromDate="2022-05-31 23:50:00.0")
    region = StoreRegion(tmp_path / "home", timezone="Europe/Berlin")
    region.judge_stores(("a", array(first, second), "[]"), ("b", array(first, third), "[]"))
    assert [row["_rules"] for row in region.rows(INTERVALS)] == [[], [], [], OVERLAPS]
    assert region.rows(INTERVALS)[1]["from_date"].isoformat() == "2022-05-31T22:10:00+00:00"


def test_the_text_of_a_rejected_element_is_its_own(tmp_path: Path) -> None:
    """As it was delivered, blanks, escapes and order included."""
    odd = '{ "toNow" : 1,\t"note":"\\u00e9}{" ,"fromDate":"x"}'
    region = StoreRegion(tmp_path / "home")
    region.judge_stores(("s", f"[{A} , {odd} ,null]", "[}"))
    assert [row["_raw"] for row in region.rows(INTERVALS)] == [None, odd, "null"]
    assert [(row["_raw"], row["store_id"], row["position"]) for row in region.rows(PERIODS)] == [("[}", "s", None)]
