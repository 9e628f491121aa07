"""The project's corpus of malformed deliveries: each loads exactly as stated here by hand, or is refused with a place.

Nothing in it may crash, hang, shift or lose a record.
"""

# ruff: noqa: E501  (a case is a line)

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from clearer_platform_tests.silver.judging import TEXTS, THINGS, Judged, Region

MALFORMED = "record.malformed"
UNDECODABLE = "record.undecodable"


@dataclass(frozen=True)
class Loads:
    """A delivery of the table `texts` that is published."""

    name: str
    data: bytes
    rows: dict[int, tuple[str | None, str | None, str | None]]
    """Accepted values by line."""
    broken: dict[int, list[str]] = field(default_factory=dict)
    csv: dict[str, Any] = field(default_factory=dict)
    slot: str = "f.csv"


@dataclass(frozen=True)
class Refused:
    """A delivery of the table `texts` that is refused as a whole."""

    name: str
    data: bytes
    rule: str
    says: str
    line: int | None = 1
    column: str | None = None
    csv: dict[str, Any] = field(default_factory=dict)
    slot: str = "f.csv"
    count: int | None = None


HEAD = b"a,b,c\n"
ONE = HEAD + b"1,2,3\n"
ONE_ROW = {2: ("1", "2", "3")}
BIG = b"x" * 2_500_000
ZSTD = pa.compress(ONE * 2000, "zstd", asbytes=True)
GZIP = gzip.compress(ONE * 2000, mtime=0)
NOISE = random.Random(1).randbytes(4096)
CP1252 = {"encoding": "cp1252", "delimiter": ";"}
SJIS = {"encoding": "shift_jis"}
UTF16 = {"encoding": "utf-16"}

LOADS = [
    Loads("plain", ONE, ONE_ROW),
    Loads("no final newline", HEAD + b"1,2,3", ONE_ROW),
    Loads("header only", HEAD, {}),
    Loads("header only, no newline", b"a,b,c", {}),
    Loads("CRLF", b"a,b,c\r\n1,2,3\r\n", ONE_ROW),
    Loads("LF and CRLF mixed", b"a,b,c\n1,2,3\r\n4,5,6\n7,8,9\r\n", {**ONE_ROW, 3: ("4", "5", "6"), 4: ("7", "8", "9")}),
    Loads("CR alone", b"a,b,c\r1,2,3\r4,5,6\r", {**ONE_ROW, 3: ("4", "5", "6")}),
    Loads("CR alone, no final one", b"a,b,c\r1,2,3", ONE_ROW),
    Loads("stray CR", b"a,b,c\n1,2\rx,3\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("CR in a quoted field", b'a,b,c\n1,"2\rx",3\n', {2: ("1", "2\rx", "3")}),
    Loads("CR CR LF", b"a,b,c\n1,2,3\r\r\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("UTF-8 mark", b"\xef\xbb\xbf" + ONE, ONE_ROW),
    Loads("UTF-8 mark before a quoted header", b'\xef\xbb\xbf"a","b","c"\n1,2,3\n', ONE_ROW),
    Loads("UTF-16 little endian with mark", b"\xff\xfe" + ONE.decode().encode("utf-16-le"), ONE_ROW, csv=UTF16),
    Loads("UTF-16 big endian with mark", b"\xfe\xff" + ONE.decode().encode("utf-16-be"), ONE_ROW, csv=UTF16),
    Loads("UTF-16 said little endian, with mark", b"\xff\xfe" + ONE.decode().encode("utf-16-le"), ONE_ROW,
          csv={"encoding": "utf-16-le"}),
    Loads("UTF-16 cut in the middle of a sign", b"\xff\xfe" + (HEAD + b"1,2,3\n4,5,6").decode().encode("utf-16-le")[:-1],
          ONE_ROW, {3: [UNDECODABLE]}, csv=UTF16),
    Loads("Latin-1 with euro sign", b"a;b;c\n1;5 \x80;\xe4\n", {2: ("1", "5 €", "ä")}, csv=CP1252),
    Loads("a byte that cp1252 does not have", b"a;b;c\n1;\x81;3\n4;5;6\n", {3: ("4", "5", "6")}, {2: [UNDECODABLE]}, CP1252),
    Loads("Latin-1 bytes in UTF-8", HEAD + b"1,\xe4,3\n4,5,6\n", {3: ("4", "5", "6")}, {2: [UNDECODABLE]}),
    Loads("overlong UTF-8 and a surrogate", HEAD + b"1,\xc0\xaf,3\n4,\xed\xa0\x80,6\n7,8,9\n", {4: ("7", "8", "9")},
          {2: [UNDECODABLE], 3: [UNDECODABLE]}),
    Loads("Shift-JIS", HEAD + "1,東京,ｱ\n".encode("shift_jis"), {2: ("1", "東京", "ｱ")}, csv=SJIS),
    Loads("Shift-JIS sign whose second byte is a backslash", HEAD + "1,表,3\n".encode("shift_jis"), {2: ("1", "表", "3")},
          csv=SJIS),
    Loads("Shift-JIS with bad bytes", HEAD + b"1,\x81\n4,\xff\xfe,6\n7,8,9\n", {4: ("7", "8", "9")},
          {2: [UNDECODABLE], 3: [UNDECODABLE]}, SJIS),
    Loads("bad Shift-JIS bytes that would be UTF-8", HEAD + b"1,\xfd\xfe\xff,3\n4,5,6\n", {3: ("4", "5", "6")},
          {2: [UNDECODABLE]}, SJIS),
    Loads("unterminated quote", HEAD + b'1,"2,3\n4,5,6\n7,8,9\n', {3: ("4", "5", "6"), 4: ("7", "8", "9")}, {2: [MALFORMED]}),
    Loads("unterminated quote on the last line", HEAD + b'1,2,3\n4,"5,6', ONE_ROW, {3: [MALFORMED]}),
    Loads("two unterminated quotes", HEAD + b'1,"2,3\n4,5,6\n7,"8,9\n', {3: ("4", "5", "6")}, {2: [MALFORMED], 4: [MALFORMED]}),
    Loads("a quote swallows lines and closes well", HEAD + b'1,"2,3\n4,5,6\n7,8","9"\nx,y,z\n',
          {2: ("1", "2,3\n4,5,6\n7,8", "9"), 5: ("x", "y", "z")}),
    Loads("quoted newlines", HEAD + b'1,"2\n\n2",3\n"4\n",5,6\n', {2: ("1", "2\n\n2", "3"), 5: ("4\n", "5", "6")}),
    Loads("quoted newlines and a short row", HEAD + b'1,"2\n2",3\n4,5\n7,8,9\n', {2: ("1", "2\n2", "3"), 5: ("7", "8", "9")},
          {4: [MALFORMED]}),
    Loads("quotes doubled", HEAD + b'1,"a ""b"" c",""""\n', {2: ("1", 'a "b" c', '"')}),
    Loads("quote in an unquoted field", HEAD + b'1,5" pipe,3\n4,5,6\n', {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("space before a quote", HEAD + b'1, "2",3\n4,5,6\n', {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("text after a closing quote", HEAD + b'1,"2"x,3\n4,5,6\n', {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("backslash before a quote", HEAD + b'1,"2\\",3\n4,5,6\n', {2: ("1", "2\\", "3"), 3: ("4", "5", "6")}),
    Loads("extra empty field", HEAD + b"1,2,3,\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("extra empty fields and a short row", HEAD + b"1,2,3,,\nx\n4,5,6\n", {4: ("4", "5", "6")}, {2: [MALFORMED], 3: [MALFORMED]}),
    Loads("one field more here, one less there", HEAD + b"1,2,3,4\n5,6\n7,8,9\n", {4: ("7", "8", "9")}, {2: [MALFORMED], 3: [MALFORMED]}),
    Loads("extra field with only NUL", HEAD + b"1,2,3,\0\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("NUL in a field", HEAD + b"1,2\0,3\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("NUL in a quoted field", HEAD + b'1,"2\0",3\n4,5,6\n', {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("trailing delimiter in every row", HEAD + b"1,2,3,\n4,5,6,\n", {}, {2: [MALFORMED], 3: [MALFORMED]}),
    Loads("trailing delimiter in header and rows", b"a,b,c,\n1,2,3,\n", ONE_ROW),
    Loads("short rows", HEAD + b"1,2\n\n3\n4,5,6\n", {5: ("4", "5", "6")}, {2: [MALFORMED], 4: [MALFORMED]}),
    Loads("blank lines", b"\n\na,b,c\n\n1,2,3\n\n\n4,5,6\n\n", {5: ("1", "2", "3"), 8: ("4", "5", "6")}),
    Loads("a line of spaces", HEAD + b"  \n1,2,3\n", {3: ("1", "2", "3")}, {2: [MALFORMED]}),
    Loads("a line of delimiters", HEAD + b",,\n1,2,3\n", {3: ("1", "2", "3")}, {2: ["a.missing"]}),
    Loads("a header of two lines", b'"a",b,"c"\n1,2,3\n'.replace(b'"a"', b'"a"'), ONE_ROW),
    Loads("a record over 2 MB", HEAD + b"1," + BIG + b",3\n4,5,6\n", {2: ("1", BIG.decode(), "3"), 3: ("4", "5", "6")}),
    Loads("a quoted record over 2 MB", HEAD + b'1,"' + BIG + b'\n",3\n4,5,6\n',
          {2: ("1", BIG.decode() + "\n", "3"), 4: ("4", "5", "6")}),
    Loads("an unterminated quote before 2 MB", HEAD + b'1,"' + BIG + b"\n4,5,6\n", {3: ("4", "5", "6")}, {2: [MALFORMED]}),
    Loads("the same header again", HEAD + b"1,2,3\na,b,c\n4,5,6\n", {2: ("1", "2", "3"), 3: ("a", "b", "c"), 4: ("4", "5", "6")}),
    Loads("an unknown column", b"a,x,b,c\n1,9,2,3\n", ONE_ROW),
    Loads("columns in another order", b"c,a,b\n3,1,2\n", ONE_ROW),
    Loads("no header", b"1,2,3\n4,5,6\n", {1: ("1", "2", "3"), 2: ("4", "5", "6")}, csv={"header": False}),
    Loads("no header, no bytes", b"", {}, csv={"header": False}),
    Loads("outer spaces are kept", HEAD + b" 1 ,2\t,\xc2\xa03\n", {2: (" 1 ", "2\t", "\u00a03")}),
    Loads("texts for null", HEAD + b'1,NULL,""\n', {2: ("1", None, None)}, csv={"nulls": ["", "NULL"]}),
    Loads("no text for null", HEAD + b'1,,""\n', {2: ("1", "", "")}, csv={"nulls": []}),
    Loads("a delimiter of two bytes", "a¦b¦c\n1¦2¦\"3¦\"\n".encode(), {2: ("1", "2", "3¦")}, csv={"delimiter": "¦"}),
    Loads("single quotes", b"a\tb\tc\n1\t'2\t'\t3\"\n", {2: ("1", "2\t", '3"')}, csv={"delimiter": "\t", "quote": "'"}),
    Loads("two gzip members", gzip.compress(HEAD) + gzip.compress(b"1,2,3\n"), ONE_ROW, slot="f.csv.gz"),
    Loads("two zstd frames", pa.compress(HEAD, "zstd", asbytes=True) + pa.compress(b"1,2,3\n", "zstd", asbytes=True), ONE_ROW, slot="f.csv.zst"),
    Loads("gzip of CRLF with mark", gzip.compress(b"\xef\xbb\xbfa,b,c\r\n1,2,3\r\n"), ONE_ROW, slot="F.CSV.GZ"),
]  # fmt: skip

REFUSED = [
    Refused("empty", b"", "delivery.empty", "not even a header"),
    Refused("only blank lines", b"\n\r\n\n", "delivery.empty", "not even a header"),
    Refused("only a mark", b"\xef\xbb\xbf", "delivery.empty", "not even a header"),
    Refused("duplicate header", b"a,b,c,b\n1,2,3,4\n", "delivery.duplicate_column", "'b' more than once", column="b"),
    Refused("wrong delimiter", b"a;b;c\n1;2;3\n", "delivery.missing_column", "3 when split at a semicolon", column="a"),
    Refused("missing column", b"a,c\n1,3\n", "delivery.missing_column", "missing required column 'b'", column="b"),
    Refused("missing columns", b"a\n1\n", "delivery.missing_column", "columns 'b', 'c'", column="b"),
    Refused("header on the third line", b"\n\na,c\n1,3\n", "delivery.missing_column", "'b'", line=3, column="b"),
    Refused("header in other case", b"A,b,c\n1,2,3\n", "delivery.missing_column", "'a'", column="a"),
    Refused("header with spaces", b"a, b,c\n1,2,3\n", "delivery.missing_column", "'b'", column="b"),
    Refused("no header where one is due", b"1,2,3\n4,5,6\n", "delivery.missing_column", "looks like a record", column="a"),
    Refused("header with an open quote", b'"a,b,c\n1,2,3\n', "delivery.malformed_header", "check the quotes"),
    Refused("header with NUL", b"a,b,c\0\n1,2,3\n", "delivery.malformed_header", "not a well-formed record"),
    Refused("header in another encoding", b"a,b,c,\xe4\n1,2,3,4\n", "delivery.undecodable", "not utf-8 text"),
    Refused("too few fields without header", b"1,2\n", "delivery.columns", "2 fields", csv={"header": False}),
    Refused("UTF-16 where UTF-8 is due", b"\xff\xfea\0,\0b\0", "delivery.undecodable", "UTF-16 byte-order mark"),
    Refused("UTF-8 mark where cp1252 is due", b"\xef\xbb\xbfa;b;c\n", "delivery.undecodable", "UTF-8 byte-order", csv=CP1252),
    Refused("truncated gzip", GZIP[:-4], "delivery.truncated", "ends early", line=4001, slot="f.csv.gz"),
    Refused("gzip cut in its header", GZIP[:5], "delivery.truncated", "ends early", slot="f.csv.gz"),
    Refused("gzip with a wrong checksum", GZIP[:-8] + b"\0" * 8, "delivery.damaged", "is damaged", line=4001, slot="f.csv.gz"),
    Refused("gzip followed by something else", GZIP + b"garbage", "delivery.damaged", "is damaged", line=4001, slot="f.csv.gz"),
    Refused("no gzip at all", ONE, "delivery.damaged", "is damaged", slot="f.csv.gz"),
    Refused("gzip of nothing at all", b"", "delivery.truncated", "no bytes", slot="f.csv.gz"),
    Refused("gzip of an empty file", gzip.compress(b""), "delivery.empty", "not even a header", slot="f.csv.gz"),
    Refused("gzip of garbage", gzip.compress(NOISE), "delivery.", "", slot="f.csv.gz"),
    Refused("gzip not named so", GZIP, "delivery.undecodable", "name it .gz"),
    Refused("truncated zstd", ZSTD[:-6], "delivery.truncated", "ends early", line=None, slot="f.csv.zst"),
    Refused("no zstd at all", ONE, "delivery.damaged", "is damaged", slot="f.csv.zst"),
    Refused("random bytes", NOISE, "delivery.", ""),
    Refused("random bytes as Shift-JIS", NOISE, "delivery.", "", csv=SJIS),
    Refused("the sender counted more", ONE, "delivery.record_count", "the sender counted 7 records, 1 are in it", line=None, count=7),
]  # fmt: skip


@pytest.mark.parametrize("case", LOADS, ids=lambda case: case.name)
def test_loads(case: Loads, make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS, csv=case.csv)
    judged = region.judge(case.data, case.slot)
    assert judged.outcome.status == "published", judged.outcome.problems
    assert {row["_line"]: (row["a"], row["b"], row["c"]) for row in judged.accepted} == case.rows
    assert judged.broken == case.broken
    assert judged.outcome.delivered == len(case.rows) + len(case.broken)
    assert (judged.outcome.accepted, judged.outcome.rejected) == (len(case.rows), len(case.broken))
    assert {p.line for p in judged.outcome.problems if not p.rule.startswith("delivery.")} == set(case.broken)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refused(case: Refused, make_region: Callable[..., Region]) -> None:
    region = make_region(TEXTS, csv=case.csv)
    problem = region.judge(case.data, case.slot, count=case.count).refusal
    assert problem.rule.startswith(case.rule)
    assert case.says in problem.message
    if case.line is not None:
        assert problem.line == case.line or case.rule == "delivery."
    assert problem.column == case.column or case.rule == "delivery."


def test_there_are_enough() -> None:
    assert len(LOADS) + len(REFUSED) + len(VALUES) >= 45


VALUES = [
    ("amount", "1.50", "1.50"), ("amount", "-0.01", ["amount.greater_than_or_equal_to"]), ("amount", "0", "0.00"),
    ("amount", "1.239", ["amount.not_a_decimal"]), ("amount", "1e3", ["amount.not_a_decimal"]),
    ("amount", "1_000", ["amount.not_a_decimal"]), ("amount", "0x10", ["amount.not_a_decimal"]),
    ("amount", " 1", ["amount.not_a_decimal"]), ("amount", "1 ", ["amount.not_a_decimal"]),
    ("amount", "1,00", ["amount.not_a_decimal"]), ("amount", "nan", ["amount.not_a_decimal"]),
    ("amount", "inf", ["amount.not_a_decimal"]), ("amount", "1.", ["amount.not_a_decimal"]),
    ("amount", ".5", ["amount.not_a_decimal"]), ("amount", "--1", ["amount.not_a_decimal"]),
    ("amount", "9999999.99", "9999999.99"), ("amount", "10000000.00", ["amount.not_a_decimal"]),
    ("amount", "٣", ["amount.not_a_decimal"]), ("amount", "", None),
    ("count", "7", 7), ("count", "1.5", ["count.not_a_integer"]), ("count", "1e3", ["count.not_a_integer"]),
    ("count", "9223372036854775807", 2**63 - 1), ("count", "9223372036854775808", ["count.not_a_integer"]),
    ("count", "0", ["count.greater_than_or_equal_to"]), ("count", "", 1), ("count", "seven", ["count.not_a_integer"]),
    ("born", "2024-02-29", "2024-02-29"), ("born", "2024-02-30", ["born.not_a_date"]),
    ("born", "2023-02-29", ["born.not_a_date"]), ("born", "01.03.24", ["born.not_a_date"]),
    ("born", "2024-3-1", ["born.not_a_date"]), ("born", " 2024-03-01", ["born.not_a_date"]),
    ("born", "0000-01-01", ["born.not_a_date"]), ("born", "2024-03-01 00:00:00", ["born.not_a_date"]),
    ("born", "1899-12-31", ["born.greater_than_or_equal_to"]), ("born", "infinity", ["born.not_a_date"]),
    ("born", "epoch", ["born.not_a_date"]),
    ("at", "2024-03-31 01:59:59", "2024-03-31T00:59:59+00:00"), ("at", "2024-03-31 03:00:00", "2024-03-31T01:00:00+00:00"),
    ("at", "2024-03-31 02:30:00", ["at.nonexistent_local_time"]), ("at", "2024-10-27 02:30:00", "2024-10-27T00:30:00+00:00"),
    ("at", "2024-03-31 24:00:00", ["at.not_a_timestamp"]), ("at", "2024-03-31 23:59:60", ["at.not_a_timestamp"]),
    ("at", "2024-03-31T12:00:00", ["at.not_a_timestamp"]), ("at", "2024-03-31 12:00:00Z", ["at.not_a_timestamp"]),
    ("at", "2024-03-31 12:00:00+02", ["at.not_a_timestamp"]), ("at", "2024-03-31 12:00:00.5", ["at.not_a_timestamp"]),
    ("at", "2024-02-30 12:00:00", ["at.not_a_timestamp"]), ("at", "1970-01-01 00:00:00", "1969-12-31T23:00:00+00:00"),
    ("at", "9999-12-31 23:59:59", "9999-12-31T22:59:59+00:00"), ("at", "now", ["at.not_a_timestamp"]),
    ("at", "0001-01-01 00:00:00", ["at.not_a_timestamp"]), ("at", "0001-01-01 00:53:28", "0001-01-01T00:00:00+00:00"),
    ("is_open", "true", True), ("is_open", "0", False), ("is_open", "yes", ["is_open.not_a_boolean"]), ("is_open", "", None),
    ("id", "", ["id.missing"]), ("id", "A", ["id.str_matches"]), ("id", "a b", ["id.str_matches"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """One delivery with every value of VALUES, each in a row that is otherwise good."""
    columns = ["id", "at", "amount", "born", "note", "count", "is_open"]
    good = {"id": "a", "at": "", "amount": "1", "born": "", "note": "", "count": "1", "is_open": ""}
    lines = [",".join(f'"{(good | {column: text})[name]}"' for name in columns) for column, text, _ in VALUES]
    return Region(tmp_path_factory.mktemp("values"), THINGS).judge("\n".join([",".join(columns), *lines]))


@pytest.mark.parametrize("number", range(len(VALUES)), ids=lambda n: f"{VALUES[n][0]} {VALUES[n][1]}")
def test_value(values: Judged, number: int) -> None:
    column, _, expected = VALUES[number]
    row = values.rows[number]
    assert row["_line"] == number + 2
    if isinstance(expected, list):
        assert row["_rules"] == expected
        assert row["_raw"].count('","') == 6 and values.outcome.rules[expected[0]] >= 1
    else:
        assert row["_rules"] == [] and row["_raw"] is None
        found = row[column]
        if hasattr(found, "isoformat"):
            found = found.isoformat()
        assert found == expected or str(found) == expected


def test_no_message_names_a_value(values: Judged) -> None:
    said = " ".join(problem.message for problem in values.outcome.problems)
    for _, text, expected in VALUES:
        if isinstance(expected, list) and len(text) > 3:
            assert text not in said


def test_first_lines_of_each_rule(values: Judged) -> None:
    lines = [p.line for p in values.outcome.problems if p.rule == "amount.not_a_decimal"]
    every = [n + 2 for n, (_, _, expected) in enumerate(VALUES) if expected == ["amount.not_a_decimal"]]
    assert lines == every[:5]
    assert values.outcome.rules["amount.not_a_decimal"] == len(every)
    [problem] = [p for p in values.outcome.problems if p.rule == "at.nonexistent_local_time"]
    assert problem.message == "a local time that does not exist in Europe/Berlin"
    assert problem.column == "at"
