"""Whatever is written as JSON lines comes back, and no line of any file is lost."""

import json
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clearer_platform_tests.silver.json_lines_corpus import CORPUS, ONE, ROW, Case, Row
from clearer_platform_tests.silver.judging import TEXTS, Region

SIGNS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


STRINGS = st.text(st.one_of(st.sampled_from("ab\",;'\n\r\\ \t-é日😀\x7f"), SIGNS), max_size=8)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.decimals(allow_nan=False, allow_infinity=False),
    STRINGS,
)


NESTED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(STRINGS, inner, max_size=3), max_leaves=5
)


RECORDS = st.lists(
    st.tuples(STRINGS.filter(bool), st.dictionaries(st.sampled_from(["b", "c", "x", 'y "1"']), NESTED, max_size=4)),
    max_size=8,
)


def written(value: Any, draw: Callable[[], str], ascii: bool) -> str:
    """A value as JSON, with spaces where they may stand; a decimal with all its digits."""
    if isinstance(value, dict):
        pairs = (f"{written(k, draw, ascii)}{draw()}:{draw()}{written(v, draw, ascii)}" for k, v in value.items())
        return f"{{{draw()}{f'{draw()},{draw()}'.join(pairs)}{draw()}}}"
    if isinstance(value, list):
        return f"[{draw()}{f'{draw()},{draw()}'.join(written(v, draw, ascii) for v in value)}{draw()}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=ascii)


def text_of(value: Any) -> str | None:
    """What a value is as text."""
    if value is None or isinstance(value, str):
        return value
    return written(value, str, ascii=False)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(st.lists(RECORDS, min_size=5, max_size=10), st.randoms(use_true_random=False), st.booleans())
def test_whatever_is_written_comes_back(files: list[Any], random: Any, ascii: bool) -> None:
    def space() -> str:
        return random.choice(["", "", " ", "\t"])

    with tempfile.TemporaryDirectory() as home:
        region = Region(Path(home), TEXTS, csv={"nulls": []})
        whole = {"a": "1", "c": None, "b": None}
        contents = [[whole, *({"a": a, **rest} for a, rest in records)] for records in files]
        for number, records in enumerate(contents):
            lines = [written(record, space, ascii) + random.choice(["\n", "\n\n", "\r\n"]) for record in records]
            region.deliver("".join(lines), f"{number:04}.jsonl")
        for state, records in zip(region.bring_up(), contents, strict=True):
            judged = region.judged(state)
            assert judged.outcome.status == "published" and not judged.broken
            found = [{"a": row["a"], "b": row["b"], "c": row["c"], **dict(row["_extra"] or [])} for row in judged.rows]
            unknown = set().union(*records) - {"a", "b", "c"}
            assert found == [
                {name: text_of(record.get(name)) for name in ["a", "b", "c", *unknown]} for record in records
            ]


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    st.lists(
        st.lists(st.sampled_from([c for c in CORPUS if not c.csv and c.data]), max_size=6), min_size=10, max_size=15
    )
)
def test_cases_of_the_corpus_one_after_the_other(files: list[list[Case]]) -> None:
    """Whatever surrounds it, a line is read the same: none is lost, shifted or changed."""
    with tempfile.TemporaryDirectory() as home:
        region = Region(Path(home), TEXTS)
        expected: list[tuple[dict[int, Row], dict[int, list[str]]]] = []
        for number, cases in enumerate(files):
            rows: dict[int, Row] = {}
            broken: dict[int, list[str]] = {}
            data = ONE
            for case in cases:
                if case.slot != "f.jsonl" or case.data.startswith(b"\xef\xbb\xbf"):
                    continue
                at = data.count(b"\n")
                rows |= {at + n: row[:3] for n, row in case.rows.items()}
                broken |= {at + n: rules for n, rules in case.broken.items()}
                data += case.data if case.data.endswith(b"\n") else case.data + b"\n"
            region.deliver(data, f"{number:04}.jsonl")
            expected.append(({1: ROW[1], **rows}, broken))
        for state, (rows, broken) in zip(region.bring_up(), expected, strict=True):
            judged = region.judged(state)
            assert {r["_line"]: (r["a"], r["b"], r["c"]) for r in judged.accepted} == rows
            assert judged.broken == broken
