"""JSON lines come through exactly, are judged as the same rows as CSV are, and no line of any file is lost."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from clearer_platform.contracts import Drift
from clearer_platform.serving import reconciliation
from clearer_platform.silver import validate
from clearer_platform_tests.silver.json_lines_corpus import CORPUS, MALFORMED, ONE, SAME, UNDECODABLE, Case, line
from clearer_platform_tests.silver.judging import TEXTS, THINGS, Judged, Region


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_corpus(case: Case, make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS, csv=case.csv)
    judged = region.judge(case.data, case.slot)
    assert judged.outcome.status == "published", judged.outcome.problems
    extras = {row["_line"]: dict(row["_extra"] or []) for row in judged.accepted}
    assert {
        row["_line"]: (row["a"], row["b"], row["c"], *(extras[row["_line"]].get(k) for k in case.extra))
        for row in judged.accepted
    } == case.rows
    assert all(extra.keys() == set(case.extra) for extra in extras.values())
    assert judged.broken == case.broken
    assert judged.outcome.extra_columns == list(case.extra)
    assert judged.outcome.delivered == len(case.rows) + len(case.broken)
    assert {p.line for p in judged.outcome.problems} - {None} == set(case.broken)


def test_original_text_of_bad_lines(make_region: Callable[..., Region]) -> None:
    bad = [b'{"a":null,"b":"\xc3\xa4" }', b"no JSON", b'{"a":"\xe4"}', b'{"b":1.50}']
    judged = make_region(TEXTS, csv={"encoding": "cp1252"}).judge(ONE + b"\n" + b"\n".join(bad), "f.jsonl")
    found = {row["_line"]: (row["_raw"], row["_rules"]) for row in judged.rows if row["_rules"]}
    assert found == {
        3: ('{"a":null,"b":"ä" }', ["a.missing"]),
        4: ("no JSON", [MALFORMED]),
        5: ('{"a":"\\xe4"}', [UNDECODABLE]),
        6: ('{"b":1.50}', ["a.missing"]),
    }
    said = {p.line: p.message for p in judged.outcome.problems}
    assert "not one JSON object" in said[4] and said[5] == "bytes that are not utf-8 text"


@pytest.mark.parametrize(
    ("data", "rule", "says", "column"),
    [
        (b'{"b":"2"}\n{"c":"3"}\n', "missing_column", "column 'a', which no record has", "a"),
        (b"{}\n", "missing_column", "columns 'a', 'b', 'c', which no record has", "a"),
        (b'{"1;2":"x"}\n', "missing_column", "'c', which no record has; if it is called otherwise", "a"),
        (b'{"a":"1","B":"2","c":"3"}\n', "missing_column", "column 'b', which no record has", "b"),
        (b"\xff\xfe{\0}\0", "undecodable", "UTF-16 byte-order mark", None),
        (gzip.compress(ONE, mtime=0), "undecodable", "name it .gz", None),
        (json.dumps({"a": "1", **dict.fromkeys(map(str, range(503)), 0)}).encode(), "unknown_column", "500 keys", None),
    ],
)
def test_refused(
    data: bytes, rule: str, says: str, column: str | None, make_region: Callable[..., Region], tmp_path: Path
) -> None:
    problem = make_region(TEXTS).judge(data, "f.jsonl").refusal
    assert (problem.rule, problem.column) == (f"delivery.{rule}", column)
    assert says in problem.message
    # Keys have no line of their own, and the file is named as a whole.
    assert problem.line == (1 if rule == "undecodable" else None)
    assert [p.name for p in tmp_path.rglob("*rendered*")] == []


def test_the_registry_names_the_keys_and_the_contract_may_refuse_others(make_region: Callable[..., Region]) -> None:
    table = {"columns": {"a": "A-no.", "c": "see"}}
    judged = make_region(TEXTS, table=table).judge('{"A-no.":1,"b":2,"see":3}', "f.jsonl")
    assert [(r["a"], r["b"], r["c"], r["_extra"]) for r in judged.accepted] == [("1", "2", "3", None)]
    empty = make_region(TEXTS, table=table).judge("", "f.jsonl")
    assert (empty.outcome.status, empty.outcome.delivered, empty.rows) == ("published", 0, [])
    problem = make_region(THINGS).judge(SAME[0].replace('"count"', '"Count"'), "f.jsonl").refusal
    assert (problem.rule, problem.line) == ("delivery.misspelt_column", None)
    assert problem.message.startswith("records have 'Count' where 'count' is expected")
    strict = make_region(replace(TEXTS, drift=Drift.REFUSE))
    assert strict.judge(ONE + b'{"a":2,"x":null}', "f.jsonl").refusal.rule == "delivery.unknown_column"


def test_no_delivery_grows_beyond_the_limit(make_region: Callable[..., Region]) -> None:
    """A short line is written out with a field for every key there is."""
    region = make_region(TEXTS, settings={"max_delivery_bytes": 100_000})
    wide = json.dumps({"a": "1", "b": 2, "c": 3, **dict.fromkeys(map(str, range(400)), 0)})
    assert region.judge(f"{wide}\n" + '{"a":"1"}\n' * 50, "f.jsonl").outcome.status == "published"
    refusal = region.judge(f"{wide}\n" + '{"a":"1"}\n' * 5000, "f.jsonl").refusal
    assert refusal.rule == "delivery.too_large"
    assert "100,000 bytes when written out" in refusal.message


def test_the_senders_count(make_region: Callable[..., Region]) -> None:
    assert make_region(TEXTS).judge(ONE * 2, "f.jsonl", count=2).outcome.accepted == 2
    assert make_region(TEXTS).judge(ONE * 2, "f.jsonl", count=3).refusal.rule == "delivery.record_count"
    assert make_region(TEXTS).judge(b"", "f.jsonl", count=0).outcome.status == "published"


def test_line_breaks_in_a_file_that_is_read_in_pieces(
    make_region: Callable[..., Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text has one record a line; what the engine reads has not, and must be read from its beginning, once."""
    queries: list[str] = []
    execute = validate.execute
    monkeypatch.setattr(validate, "execute", lambda con, query: (queries.append(query), execute(con, query)))
    number, text = 90_000, 'x,y,z\n1,2,3\n"' * 7
    data = "".join(json.dumps({"a": str(n), "b": text, "c": None}) + "\n" for n in range(number))
    assert len(data) > validate.PARALLEL_BYTES
    judged = make_region(TEXTS).judge(data, "f.jsonl")
    assert (judged.outcome.accepted, judged.outcome.rejected) == (number, 0)
    assert all((r["_line"], r["a"], r["b"]) == (n + 1, str(n), text) for n, r in enumerate(judged.rows))
    assert ["parallel=false" in query for query in queries] == [True]


def test_records_longer_than_the_engine_expects(make_region: Callable[..., Region]) -> None:
    """Quotes are doubled: a record is twice as long when it is written out."""
    text = "'" * 1_900_000
    judged = make_region(TEXTS, csv={"quote": "'"}).judge(
        ONE + json.dumps({"a": text}).encode() + b"\n" + ONE, "f.jsonl"
    )
    assert [(r["_line"], len(r["a"])) for r in judged.accepted] == [(1, 1), (2, len(text)), (3, 1)]


def test_the_records_are_counted_a_third_time(make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS)
    region.judge(b"\xef\xbb\xbf\r\n" + ONE * 3 + b"\r\n\nx\n" + line(r'"\n"')[:-1], "f.jsonl")
    region.judge(gzip.compress(ONE * 4 + b"\n", mtime=0), "g.jsonl.gz")
    region.judge("a,b,c\n1,2,3\n", "h.csv")
    [balance] = reconciliation.balances(region.platform, ["eu"])
    assert (balance.counted, balance.accepted, balance.rejected, balance.files) == (10, 9, 1, 3)


def test_no_message_names_a_value(make_region: Callable[..., Region]) -> None:
    secret = "hunter2-secret"
    lines = [f'{{"id":"{secret}","amount":"{secret}"}}', f'{{"id":"a","id":"{secret}"}}', f'{{"a":"{secret}', secret]
    judged: Judged = make_region(THINGS).judge("\n".join(lines), "f.jsonl")
    optional = make_region(TEXTS).judge("\n".join(lines), "f.jsonl")
    for outcome in (judged.outcome, optional.outcome):
        assert outcome.problems and secret not in outcome.model_dump_json()
