"""Deliveries of JSON lines, made by hand, and what is to come of them."""

# ruff: noqa: E501  (a case is a line)

import gzip
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

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
