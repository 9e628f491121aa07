"""JSON lines come through exactly, are judged as the same rows as CSV are, and no line of any file is lost."""

# ruff: noqa: E501  (a case is a line)

import csv
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clearer_platform.contracts import Drift
from clearer_platform.serving import reconciliation
from clearer_platform.silver import validate
from clearer_platform_tests.silver.judging import FACTS, TEXTS, THINGS, Judged, Region

MALFORMED, UNDECODABLE = "record.malformed", "record.undecodable"
GERMAN = {"encoding": "cp1252", "delimiter": ";", "decimal": ",", "thousands": ".", "datetime": "%d.%m.%Y %H:%M:%S",
          "date": "%d.%m.%Y", "true": ["ja"], "false": ["nein"], "nulls": ["-", ""]}  # fmt: skip
ODD = {"delimiter": "¦", "quote": "'", "nulls": ["NULL"], "header": False}

Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Case:
    """A delivery of the table `texts` that is published."""

    name: str
    data: bytes
    rows: dict[int, Row]
    """Accepted values of a, b and c by line, then those of unknown keys."""
    broken: dict[int, list[str]] = field(default_factory=dict)
    csv: dict[str, Any] = field(default_factory=dict)
    slot: str = "f.jsonl"
    extra: tuple[str, ...] = ()


def line(value: str) -> bytes:
    """A record whose b is the JSON text `value`."""
    return f'{{"a":"1","b":{value},"c":"3"}}\n'.encode()


def reads(name: str, value: str, expected: str | None, **csv: Any) -> Case:
    """A value that is read as `expected`."""
    return Case(name, line(value), {1: ("1", expected, "3")}, csv=csv)


def fails(name: str, bad: bytes, rule: str = MALFORMED) -> Case:
    """A line that is none, between two that are."""
    return Case(name, ONE + bad + b"\n" + ONE, {1: ("1", "2", "3"), 3: ("1", "2", "3")}, {2: [rule]})


ONE = line('"2"')
ROW: dict[int, Row] = {1: ("1", "2", "3")}
DEEP = "[" * 99 + "]" * 99
CORPUS = [
    Case("plain", ONE, ROW),
    Case("no final newline", ONE[:-1], ROW),
    Case("no bytes at all", b"", {}),
    Case("only empty lines", b"\n\n\n", {}),
    Case("gzip of nothing", gzip.compress(b"", mtime=0), {}, slot="f.jsonl.gz"),
    Case("a UTF-8 mark alone", b"\xef\xbb\xbf", {}),
    Case("UTF-8 mark", b"\xef\xbb\xbf" + ONE, ROW),
    Case("CRLF", ONE[:-1] + b"\r\n" + ONE[:-1] + b"\r\n", {**ROW, 2: ROW[1]}),
    Case("gzip", gzip.compress(ONE, mtime=0), ROW, slot="f.jsonl.gz"),
    Case("zstd", pa.compress(ONE, "zstd", asbytes=True), ROW, slot="F.JSONL.ZST"),
    Case("empty lines are lines", b"\n" + ONE + b"\n\n" + ONE + b"\n", {2: ROW[1], 5: ROW[1]}),
    Case("spaces between the tokens", b' { "a" :\t"1" , "b" : "2" , "c" : "3" } \n', ROW),
    Case("another order of keys", b'{"c":"3","a":"1","b":"2"}\n' + ONE, {**ROW, 2: ROW[1]}),
    Case("always UTF-8", '{"a":"1","b":"Müller €","c":"東京"}\n'.encode(), {1: ("1", "Müller €", "東京")}, csv=GERMAN),
    Case("an absent key", ONE + b'{"a":"4"}\n', {**ROW, 2: ("4", None, None)}),
    Case("a key that comes up late", b'{"a":"0","c":"x"}\n{"a":"4"}\n' + ONE + b'{"b":"5","a":"6"}\n',
         {1: ("0", None, "x"), 2: ("4", None, None), 3: ROW[1], 4: ("6", "5", None)}),
    Case("an unknown key", b'{"a":"0","b":"","c":""}\n{"a":"1","b":"2","c":"3","x\\ny":9.50}\n{"d":null,"a":"2"}\n',
         {1: ("0", None, None, None, None), 2: ("1", "2", "3", "9.50", None), 3: ("2", None, None, None, None)}, extra=("x\ny", "d")),
    Case("an unknown key with quotes", b'{"a":"1","b":"2","c":"3","it\'s":"x","\\"":"","":"e"}\n',
         {1: ("1", "2", "3", "x", None, "e")}, extra=("it's", '"', "")),
    Case("required and null", b'{"a":null,"b":"2","c":"3"}\n' + ONE, {2: ROW[1]}, {1: ["a.missing"]}),
    Case("required and absent", b'{"b":"2","c":"3"}\n' + ONE, {2: ROW[1]}, {1: ["a.missing"]}),
    reads("delimiters, quotes and line breaks", r'"a,b;\"c\"\n\r\n\r\t'"'"r'd\\ "', 'a,b;"c"\n\r\n\r\t\'d\\ '),
    reads("the same, written otherwise", r'"a,b;¦\"c\"\n\r\n\r'"'"r'd\\ \u00e4"', 'a,b;¦"c"\n\r\n\r\'d\\ ä', **ODD),
    reads("only a line break", r'"\n"', "\n"), reads("only a quote", r'"\""', '"'), reads("only spaces", '"  "', "  "),
    reads("a separator of lines that is none", '"a\u2028b\u0085c"', "a\u2028b\u0085c"),
    reads("an escaped pair of surrogates", r'"\ud83d\ude00"', "😀"),
    reads("a backslash before u0000", r'"\\u0000 \\\\u0000 \\ud800"', r"\u0000 \\u0000 \ud800"),
    reads("what looks like null", '"null"', "null"), reads("what looks like true", '"true"', "true"),
    reads("null", "null", None), reads("null, no text for it", "null", None, nulls=[]),
    reads("empty", '""', None), reads("empty, no text for null", '""', "", nulls=[]),
    reads("empty, another text for null", '""', "", nulls=["NULL"]),
    reads("a text for null", '"-"', None, **GERMAN), reads("not a text for null", '"-"', "-"),
    reads("true", "true", "true"), reads("false", "false", "false"),
    reads("true, as the region says", "true", "ja", **GERMAN), reads("false, as the region says", "false", "nein", **GERMAN),
    reads("true, which the region cannot say", "true", "true", true=[]),
    reads("a number with its zeros", "1.50", "1.50"), reads("a negative zero", "-0.0", "-0.0"),
    reads("a number with more digits than a float has", "12345678901234567890.123456789", "12345678901234567890.123456789"),
    reads("an exponent", "1E-400", "1E-400"), reads("a long number", "9" * 5000, "9" * 5000),
    reads("a number where the sign is a comma", "-1.50", "-1,50", **GERMAN),
    reads("a text where the sign is a comma", '"-1.50"', "-1.50", **GERMAN),
    reads("a list", ' [ 1.0 , "x y" , true , null , {} , [ ] ] ', '[1.0,"x y",true,null,{},[]]'),
    reads("an object", r' { "k \n" : { "n" : 1.10 , "t" : "ä\"\u00e4" } } ', r'{"k \n":{"n":1.10,"t":"ä\"ä"}}'),
    reads("numbers in a list keep their sign", "[1.5]", "[1.5]", **GERMAN),
    reads("nested, not too deeply", DEEP, DEEP),
    fails("not JSON", b"a,b,c"), fails("a half line", b'{"a":"1","b":"2'), fails("single quotes", b"{'a':'1'}"),
    fails("two objects", b'{"a":"1"} {"a":"2"}'), fails("a comma at the end", b'{"a":"1",}'), fails("a comma after", b'{"a":"1"},'),
    fails("a list", b'["1","2","3"]'), fails("a text", b'"abc"'), fails("a number", b"1"), fails("null", b"null"), fails("a space", b" "),
    fails("a key twice", b'{"a":"1","b":"2","a":"1"}'), fails("a key twice, inside", b'{"a":"1","b":[{"k":1,"k":2}]}'),
    fails("a key twice, written in two ways", b'{"a":"1","b":"2","\\u0061":"4"}'),
    fails("NaN", b'{"a":"1","b":NaN}'), fails("Infinity", b'{"a":"1","b":Infinity}'), fails("-Infinity inside", b'{"a":"1","b":[-Infinity]}'),
    fails("a number with a leading zero", b'{"a":"1","b":01}'), fails("a number without digits", b'{"a":"1","b":.5}'),
    fails("NUL", b'{"a":"1","b":"\\u0000"}'), fails("NUL after a backslash", b'{"a":"1","b":"\\\\\\u0000"}'),
    fails("NUL inside", b'{"a":"1","b":["\\u0000"]}'), fails("NUL in a key", b'{"a":"1","b\\u0000":"2"}'),
    fails("a byte NUL", b'{"a":"1","b":"\0"}'), fails("a tab in a string", b'{"a":"1","b":"\t"}'),
    fails("half a pair of surrogates", b'{"a":"1","b":"\\ud83d"}'), fails("the other half, in a key", b'{"a":"1","\\uDE00":"2"}'),
    fails("half a pair inside", b'{"a":"1","b":{"k":["\\ud83dx"]}}'), fails("a comment", b'{"a":"1"} // x'),
    fails("nested too deeply", line("[" + DEEP + "]" + "]").strip()), fails("much too deeply", line("[" * 100_000 + "]" * 100_000).strip()),
    fails("nested too deeply by one", line("[[" + DEEP + "]]").strip()),
    fails("Latin-1", b'{"a":"1","b":"\xe4"}', UNDECODABLE), fails("half a sign", b'{"a":"1","b":"\xc3', UNDECODABLE),
    fails("a surrogate in UTF-8", b'{"a":"1","b":"\xed\xa0\x80"}', UNDECODABLE), fails("no JSON in Latin-1", b"\xe4", UNDECODABLE),
    Case("a carriage return between tokens", b'{"a":"1",\r"b":"2","c":"3"}\n', ROW),
    Case("nothing but lines that are none", b"x\n\ny\n", {}, {1: [MALFORMED], 3: [MALFORMED]}),
    Case("a malformed line's keys are no columns", ONE + b'{"a":"1","z":"2","z":"3"}\n', ROW, {2: [MALFORMED]}),
]  # fmt: skip


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
    create = validate._create
    monkeypatch.setattr(validate, "_create", lambda con, query: (queries.append(query), create(con, query)))
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


COMMAS = {k: v for k, v in GERMAN.items() if k not in ("date", "datetime")}
FORMATS = [{}, COMMAS, {"nulls": ["NULL", ""], "quote": "'", "delimiter": "\t"}]
THINGS_COLUMNS = ["id", "at", "amount", "born", "note", "count", "is_open"]
SAME = [
    '{"id":"a1","at":"2024-03-01 10:00:00","amount":12.50,"born":"2000-02-29","note":"x, \\"y\\"\\n;z","count":7,"is_open":true}',
    '{"id":"a2","at":null,"amount":null,"born":null,"note":null,"count":null,"is_open":null}',
    '{"id":"a3","at":"2024-03-31 02:30:00","amount":1.239,"born":"2000-02-30","note":"","count":1.5,"is_open":false}',
    '{"id":"A4","at":"2024-10-27 02:30:00","amount":-1,"born":"1850-01-01","note":"NULL","count":0,"is_open":"vielleicht"}',
    '{"id":null,"at":"soon","amount":1e3,"born":"x","note":"-","count":9223372036854775808,"is_open":1}',
    '{"id":"a1","at":"2024-03-01 10:00:00","amount":9999999.99,"born":"2000-02-29","note":"again","count":1,"is_open":false}',
    '{"id":"a6","at":"2031-06-01 10:00:00","amount":"12.50","born":"2000-02-29","note":[1],"count":"7","is_open":"true","more":0}',
    '{"id":"a7","more":"y"}',
]


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


def test_no_message_names_a_value(make_region: Callable[..., Region]) -> None:
    secret = "hunter2-secret"
    lines = [f'{{"id":"{secret}","amount":"{secret}"}}', f'{{"id":"a","id":"{secret}"}}', f'{{"a":"{secret}', secret]
    judged: Judged = make_region(THINGS).judge("\n".join(lines), "f.jsonl")
    optional = make_region(TEXTS).judge("\n".join(lines), "f.jsonl")
    for outcome in (judged.outcome, optional.outcome):
        assert outcome.problems and secret not in outcome.model_dump_json()
