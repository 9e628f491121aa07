"""One page of an API as records: the text of each, exactly as served, and what the page says of the others.

Nothing is read into values and written again: a record of JSON is a slice of the body (without its line breaks, which
no JSON text needs), so that keys, figures and even undecodable bytes come to silver as they were.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from clearer_platform.regions import CsvFormat, HttpSource
from clearer_platform.sources.http.client import Again, Answer
from clearer_platform.sources.json_text import TEXTS, elements, skip

TYPES = {"json": ("json", "javascript", "text/plain"), "csv": ("csv", "text/plain", "octet-stream")}
_values = json.JSONDecoder()


@dataclass(frozen=True)
class Page:
    """What one answer holds."""

    records: list[str]
    header: str | None = None
    """CSV's header line."""
    next: str | None = None
    """Where the next page begins; None where the page names none."""
    total: int | None = None
    """How many records the whole window has, where the page says so."""
    is_certain: bool = True
    """Whether the page can be seen to be whole."""


def read_page(answer: Answer, source: HttpSource, csv: CsvFormat) -> Page:
    """The page in an answer. Raises Again for what is none."""
    kind = answer.content_type
    if kind and not any(known in kind for known in TYPES[source.format]):
        raise Again(f"the answer is {kind.split(';')[0]}, not {source.format}")
    return _json_page(answer.body, source) if source.format == "json" else _csv_page(answer, csv)


def _json_page(body: bytes, source: HttpSource) -> Page:
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        start = skip(text, 0)
        if skip(text, TEXTS.raw_decode(text, start)[1]) != len(text):
            raise Again("the answer goes on after its JSON")
        records = _at(text, start, source.records)
        if records is None or text[records : records + 1] != "[":
            raise Again(f"the answer has no list of records at {source.records or 'its top'!r}")
        return Page(
            records=[one_line for one_line, _ in elements(text, records)],
            next=_cursor(text, start, source),
            total=_total(text, start, source),
        )
    except (ValueError, RecursionError) as e:
        raise Again("the answer is not JSON, or breaks off") from e


def _cursor(text: str, start: int, source: HttpSource) -> str | None:
    value = _value(text, start, source.next) if source.next else None
    if value is None or value == "" or value is False:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Again(f"the cursor at {source.next!r} is neither text nor a number")
    return str(value)


def _total(text: str, start: int, source: HttpSource) -> int | None:
    if source.total is None:
        return None
    value = _value(text, start, source.total)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Again(f"the answer has no number of records at {source.total!r}")
    return value


def _value(text: str, start: int, path: str) -> object:
    place = _at(text, start, path)
    return None if place is None else _values.raw_decode(text, place)[0]


def _at(text: str, start: int, path: str) -> int | None:
    """Where the value at a dotted path below the value at `start` begins."""
    place: int | None = start
    for name in path.split(".") if path else ():
        if place is None or text[place] != "{":
            return None
        place = dict(_members(text, place)).get(name)
    return place


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Each key of the object at `start`, and where its value begins. The text is known to be JSON."""
    place = skip(text, start + 1)
    while text[place] != "}":
        key, place = TEXTS.raw_decode(text, place)
        place = skip(text, skip(text, place) + 1)
        yield key, place
        place = skip(text, TEXTS.raw_decode(text, place)[1])
        if text[place] == ",":
            place = skip(text, place + 1)


def _csv_page(answer: Answer, csv: CsvFormat) -> Page:
    try:
        text = answer.body.decode(csv.encoding, "surrogateescape").removeprefix("\ufeff")
    except UnicodeError as e:
        raise Again(f"the answer is not {csv.encoding} text") from e
    records = list(_csv_records(text, csv.quote))
    header = records.pop(0) if csv.header and records else None
    # A body that may have been cut off between two lines looks like a whole one.
    return Page(records, header, is_certain=answer.is_framed and text.endswith("\n"))


def _csv_records(text: str, quote: str) -> Iterator[str]:
    """The records, each without its line's end. A line whose quotes are uneven goes on in the next."""
    begun, is_open = [], False
    for line in text.split("\n"):
        begun.append(line)
        is_open ^= line.count(quote) % 2 == 1
        if not is_open:
            yield from _filled("\n".join(begun))
            begun = []
    if begun:
        yield from _filled("\n".join(begun))


def _filled(record: str) -> Iterator[str]:
    if record := record.removesuffix("\r"):
        yield record
