"""No record of any file is lost, shifted or changed: against a reader written letter by letter, and against csv."""

import csv
import io
import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clearer_platform_tests.silver.judging import TEXTS, Judged, Region

FIELDS = 3


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


def as_read(body: str) -> str:
    """What line ends become. The header of these files ends in LF, so that a lone CR is never a line end."""
    return body.replace("\r\n", "\n")


def check(judged: Judged, body: str) -> None:
    expected = read(as_read(body))
    assert judged.outcome.status == "published", judged.outcome
    assert judged.outcome.delivered == len(expected) == len(judged.rows)
    assert judged.outcome.accepted + judged.outcome.rejected == len(expected)
    for row, record in zip(judged.rows, expected, strict=True):
        assert row["_line"] == record.line
        if record.values is None:
            assert row["_rules"] == ["record.malformed"]
            assert row["_raw"] == record.text
        else:
            assert row["_rules"] == []
            values = [row["a"], row["b"], row["c"]]
            assert values == record.values
            assert [values] == list(csv.reader(io.StringIO(record.text, newline=""), strict=True))
    covered = sum(len(r.text.replace("\n", "")) for r in expected)
    assert covered == len(as_read(body).replace("\n", ""))


def check_together(bodies: list[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        region = Region(Path(home), TEXTS, csv={"nulls": []})
        for judged, body in zip(region.judge_all([f"a,b,c\n{b}".encode() for b in bodies]), bodies, strict=True):
            check(judged, body)


PIECES = ["a", "b", ",", ",", '"', '"', '""', "\n", "\n", "\r\n", "\r", "\0", " ", "é", "日", "x,y,z\n", '"p\nq",r,s\n', ",,\n"]
bodies = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
values = st.text(st.sampled_from('ab",\n\r é'), max_size=6)
fuzzed = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@fuzzed
@given(st.lists(bodies, min_size=30, max_size=60))
@example(['a,"b\nx,y,z\n', '"a,b\nc",x\n1,2,3\n', "x,y,z,\n", "x,y,z,\0\n", 'a, "b",c\n', '"a"b,c,d\n'])
@example(["", "\n", "\n\n1,2,3\n\n", "\r", "\r\n", '"', '""', ",", ",,", '"","",""', "1,2,3\r", " \n", "\0"])
def test_any_file(bodies: list[str]) -> None:
    check_together(bodies)


@fuzzed
@given(st.lists(st.lists(st.lists(values, min_size=3, max_size=3), max_size=8), min_size=10, max_size=30), st.data())
def test_written_by_csv(files: list[list[list[str]]], data: st.DataObject) -> None:
    """What Python's csv module writes comes back value for value; line ends within values become LF."""
    bodies = []
    for rows in files:
        buffer = io.StringIO(newline="")
        ends = data.draw(st.sampled_from(["\n", "\r\n"]))
        csv.writer(buffer, lineterminator=ends, quoting=data.draw(st.sampled_from([0, 1]))).writerows(rows)
        bodies.append(buffer.getvalue())
    with tempfile.TemporaryDirectory() as home:
        region = Region(Path(home), TEXTS, csv={"nulls": []})
        for judged, rows in zip(region.judge_all([f"a,b,c\n{b}".encode() for b in bodies]), files, strict=True):
            assert judged.outcome.accepted == len(rows) and judged.outcome.rejected == 0
            found = [[row["a"], row["b"], row["c"]] for row in judged.rows]
            assert found == [[value.replace("\r\n", "\n") for value in row] for row in rows]
