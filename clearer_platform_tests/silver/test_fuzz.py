"""No record of any file is lost, shifted or changed: against a reader written letter by letter, and against csv."""

import csv
import hashlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clearer_platform.bronze import Delivery, Manifest
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.settings import Settings
from clearer_platform.silver.bad import BAD, collect_bad
from clearer_platform.silver.batches import connection
from clearer_platform.silver.prepare import Prepared, prepare
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.sql import held
from clearer_platform.silver.validate import JUDGED, Years, judge
from clearer_platform_tests.silver.judging import DAY, NOON, TEXTS, Region

FIELDS = 3
SETTINGS = Settings(_env_file=None)
SOURCE = TableSource(
    region="eu", table="texts", timezone="UTC", fold="earlier", gap="reject", csv=CsvFormat(nulls=()), columns={}
)


class Record(NamedTuple):
    line: int
    values: list[str] | None
    """None where the record is not well-formed."""
    text: str


def read(text: str) -> list[Record]:
    """The records of a text under a header, by the grammar alone: a well-formed record, or one line that is none."""
    found: list[Record] = []
    at, line = 0, 2
    while at < len(text):
        if text[at] == "\n":
            at, line = at + 1, line + 1
            continue
        values, end = record(text, at)
        if values is None:
            end = text.find("\n", at) if "\n" in text[at:] else len(text)
        found.append(Record(line, values, text[at:end]))
        line += text[at:end].count("\n") + 1
        at = end + 1
    return found


def record(text: str, at: int) -> tuple[list[str] | None, int]:
    values: list[str] = []
    while True:
        value, at = field(text, at)
        if value is None:
            return None, at
        values.append(value)
        if at == len(text) or text[at] == "\n":
            return (values if len(values) == FIELDS else None), at
        if text[at] != ",":
            return None, at
        at += 1


def field(text: str, at: int) -> tuple[str | None, int]:
    value = ""
    if text[at : at + 1] != '"':
        while at < len(text) and text[at] not in ',\n"':
            if text[at] in "\r\0":
                return None, at
            value, at = value + text[at], at + 1
        return value, at
    at += 1
    while at < len(text):
        if text[at] == "\0":
            return None, at
        if text[at : at + 2] == '""':
            value, at = value + '"', at + 2
        elif text[at] == '"':
            return value, at + 1
        else:
            value, at = value + text[at], at + 1
    return None, at


class Found(NamedTuple):
    line: int
    values: list[str] | None
    raw: str | None


def judged(texts: list[str]) -> list[list[Found]]:
    """What the engine finds in many texts judged together, by line; nothing is written."""
    with tempfile.TemporaryDirectory() as home, connection(SETTINGS, Path(home)) as con:
        prepared = [
            prepare(delivery(Path(home), i, text), TEXTS, SOURCE, Path(home), 10**9) for i, text in enumerate(texts)
        ]
        judgement = Judgement(TEXTS, SOURCE, prepared[0].header)
        [(shares, unreadable)] = judge(con, judgement, prepared, Years())
        assert not unreadable
        collect_bad(con, judgement, shares)
        columns = ", ".join(map(held, "abc"))
        good = f"SELECT rowid, {columns} FROM {judgement.table(JUDGED)} WHERE len(_rules) = 0 ORDER BY rowid"
        rows = con.execute(good).fetchall()
        bad = con.execute(f"SELECT _number, _line, _raw FROM {judgement.table(BAD)}").fetchall()
        found: list[list[Found]] = [[] for _ in texts]
        for number, share in enumerate(shares):
            p = share.prepared
            lines = p.records.lines if p.good is None else p.records.lines[p.good]
            own = rows[share.first : share.first + share.count]
            found[texts_number(p)] = [Found(int(line), list(v), None) for line, (_, *v) in zip(lines, own, strict=True)]
            found[texts_number(p)] += [Found(line, None, raw) for n, line, raw in bad if n == number]
        return [sorted(one) for one in found]


def texts_number(prepared: Prepared) -> int:
    return int(prepared.delivery.slot)


def delivery(home: Path, number: int, text: str) -> Delivery:
    content, data = home / f"{number}.data", text.encode()
    content.write_bytes(data)
    manifest = Manifest(
        region="eu", table="texts", day=DAY, slot=f"{number}", file_name=f"{number}", origin="test", received_at=NOON,
        size=len(data), sha256=hashlib.sha256(data).hexdigest(),
    )  # fmt: skip
    return Delivery(manifest, content)


def as_read(body: str) -> str:
    """What line ends become. The header of these files ends in LF, so that a lone CR is never a line end."""
    return body.replace("\r\n", "\n")


def check(found: list[Found], body: str) -> None:
    expected = read(as_read(body))
    assert [(f.line, f.values, f.raw) for f in found] == [
        (r.line, r.values, None if r.values else r.text) for r in expected
    ]
    for r in expected:
        if r.values is not None:
            assert [r.values] == list(csv.reader(io.StringIO(r.text, newline=""), strict=True))
    covered = sum(len(r.text.replace("\n", "")) for r in expected)
    assert covered == len(as_read(body).replace("\n", ""))


PIECES = [
    "a",
    "b",
    ",",
    ",",
    '"',
    '"',
    '""',
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\0",
    " ",
    "é",
    "日",
    "x,y,z\n",
    '"p\nq",r,s\n',
    ",,\n",
]
bodies = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
values = st.text(st.sampled_from('ab",\n\r é'), max_size=6)
fuzzed = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
ODD = ['a,"b\nx,y,z\n', '"a,b\nc",x\n1,2,3\n', "x,y,z,\n", "x,y,z,\0\n", 'a, "b",c\n', '"a"b,c,d\n', ',"p\nq",r,s\na']
ODDER = ["", "\n", "\n\n1,2,3\n\n", "\r", "\r\n", '"', '""', ",", ",,", '"","",""', "1,2,3\r", " \n", "\0"]


@fuzzed
@given(st.lists(bodies, min_size=40, max_size=80))
@example(ODD)
@example(ODDER)
def test_any_file(bodies: list[str]) -> None:
    for found, body in zip(judged([f"a,b,c\n{body}" for body in bodies]), bodies, strict=True):
        check(found, body)


@pytest.mark.parametrize("bodies", [ODD, ODDER])
def test_any_file_to_its_parquet(bodies: list[str], make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS, csv={"nulls": []})
    for result, body in zip(region.judge_all([f"a,b,c\n{b}".encode() for b in bodies]), bodies, strict=True):
        assert result.outcome.status == "published", result.outcome
        assert result.outcome.accepted + result.outcome.rejected == result.outcome.delivered
        assert all(row["_rules"] in ([], ["record.malformed"]) for row in result.rows)
        check(
            [Found(r["_line"], None if r["_rules"] else [r["a"], r["b"], r["c"]], r["_raw"]) for r in result.rows], body
        )


@fuzzed
@given(st.lists(st.lists(st.lists(values, min_size=3, max_size=3), max_size=8), min_size=30, max_size=60), st.data())
def test_written_by_csv(files: list[list[list[str]]], data: st.DataObject) -> None:
    """What Python's csv module writes comes back value for value; line ends within values become LF."""
    # With LF as line end the module writes a carriage return unquoted, which no reader can tell from a line end's.
    ends, quoting = data.draw(st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]))
    texts = []
    for rows in files:
        buffer = io.StringIO(newline="")
        csv.writer(buffer, lineterminator=ends, quoting=quoting).writerows([["a", "b", "c"], *rows])
        texts.append(buffer.getvalue())
    for found, rows in zip(judged(texts), files, strict=True):
        assert [f.values for f in found] == [[value.replace("\r\n", "\n") for value in row] for row in rows]
