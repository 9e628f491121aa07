"""JSON lines are judged as the same rows as CSV are."""

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from clearer_platform_tests.silver.json_lines_corpus import GERMAN, ONE, SAME
from clearer_platform_tests.silver.judging import FACTS, TEXTS, THINGS, Region

COMMAS = {k: v for k, v in GERMAN.items() if k not in ("date", "datetime")}


FORMATS = [{}, COMMAS, {"nulls": ["NULL", ""], "quote": "'", "delimiter": "\t"}]


THINGS_COLUMNS = ["id", "at", "amount", "born", "note", "count", "is_open"]


def as_csv(rows: list[dict[str, Any]], form: Any) -> bytes:
    """The same rows as a sender of this region would write them, by the csv module."""

    def written(value: Any) -> str:
        if value is None:
            return form.nulls[0]
        if isinstance(value, bool):
            return (form.true if value else form.false)[0]
        return str(value).replace(".", form.decimal) if isinstance(value, Decimal) else str(value)

    text = io.StringIO(newline="")
    names = [*THINGS_COLUMNS, "more"]
    writer = csv.writer(text, delimiter=form.delimiter, quotechar=form.quote, lineterminator="\n")
    writer.writerows([names, *([written(row.get(name)) for name in names] for row in rows)])
    return text.getvalue().encode(form.encoding)


@pytest.mark.parametrize("contract", [THINGS, FACTS], ids=lambda contract: contract.name)
@pytest.mark.parametrize("form", FORMATS, ids=["plain", "commas", "odd"])
def test_the_same_rows_as_csv_and_as_json_lines(
    form: dict[str, Any], contract: Any, make_region: Callable[..., Region]
) -> None:
    region = make_region(contract, csv=form)
    rows = [json.loads(text, parse_float=Decimal, parse_int=Decimal) for text in SAME]
    rows[6]["note"] = "[1]"
    from_csv = region.judge(as_csv(rows, region.platform.region("eu").source(contract.name).csv), "a.csv")
    from_json = region.judge("\n".join(SAME), "b.jsonl")
    kept = lambda judged: [{k: v for k, v in row.items() if k not in PLACE} for row in judged.rows]  # noqa: E731
    assert kept(from_json) == kept(from_csv)
    assert len(from_json.accepted) >= 3 and len(from_json.broken) >= 3
    assert from_json.outcome.rules == from_csv.outcome.rules
    assert from_json.outcome.warnings == from_csv.outcome.warnings
    assert from_json.outcome.extra_columns == ["more"]


PLACE = ("_line", "_raw", "_slot", "_delivery", "_received_at")


def test_csv_and_json_lines_are_judged_in_one_go(make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS)
    deliveries = {
        "a.csv": b"a,b,c\n1,2,3\nx\n", "b.jsonl": ONE + b"x\n", "c.jsonl": b"", "d.csv": b"c,b,a\n3,2,1\n",
        "e.jsonl": b'{"c":3,"b":2,"a":1}\n', "f.jsonl": b'{"x":1}\n', "g.jsonl": ONE * 3, "h.jsonl": ONE[:-2],
    }  # fmt: skip
    for slot, data in deliveries.items():
        region.deliver(data, slot)
    judged = {state.slot.name: region.judged(state) for state in region.bring_up()}
    counts = {slot: (one.outcome.accepted, one.outcome.rejected) for slot, one in judged.items()}
    assert counts == {
        "a.csv": (1, 1), "b.jsonl": (1, 1), "c.jsonl": (0, 0), "d.csv": (1, 0), "e.jsonl": (1, 0), "f.jsonl": (0, 0),
        "g.jsonl": (3, 0), "h.jsonl": (0, 1),
    }  # fmt: skip
    assert all((r["a"], r["b"], r["c"]) == ("1", "2", "3") for one in judged.values() for r in one.accepted)
