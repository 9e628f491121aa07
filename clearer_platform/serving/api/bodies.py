"""Bodies of requests: of which kind, unpacked within bounds, and no field longer than it may be.

A body is all that is taken from a client: no file name, no path, and nothing that unpacks into files.
"""

import csv
import json
import zlib
from collections.abc import Iterable
from email.message import Message
from typing import Literal

from starlette.requests import Request

from clearer_platform.regions import TableSource
from clearer_platform.serving.api.problems import Problem
from clearer_platform.sources.batches import Form, MalformedBatch

FORMS = {"application/json": Form.JSON, "text/csv": Form.CSV}
GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls one gzip member, its checksum included."""
MEMBERS = 16
"""Gzip members of a body: each is a copy of all that follows it."""
Header = Literal["present", "absent"]


def form_of(request: Request, header: Header | None) -> tuple[Form, bool]:
    """How the body is written, and whether it begins with a header line: said by the media type or by `header`.

    Raises Problem 415 for other kinds of bodies, and 422 where the two contradict each other.
    """
    said = Message()
    said["content-type"] = request.headers.get("content-type", "")
    form = FORMS.get(said.get_content_type()) if request.headers.get("content-type") else None
    if form is None or str(said.get_param("charset", "utf-8")).lower() not in ("utf-8", "utf8", "us-ascii"):
        listed = ", ".join(FORMS)
        raise Problem(415, "unsupported-media-type", f"a batch is {listed}, in UTF-8", headers={"Accept-Post": listed})
    parameter = said.get_param("header")
    stated = {value for value in (parameter, header) if value is not None}
    if len(stated) > 1 or not stated <= {"present", "absent"} or (stated and form is Form.JSON):
        raise Problem(
            422,
            "invalid-request",
            "header: `present` or `absent`, for text/csv, and the same wherever it is said",
            hint="without it there is no header line; it is never guessed",
        )
    return form, stated == {"present"}


def unpacked(content: bytes, encoding: str, most: int) -> bytes:
    """`content` without its Content-Encoding. It is never larger than `most` bytes, not even for a moment.

    Raises Problem 415 for an encoding that is not read, 413 for what unpacks to more, and 400 for what is damaged.
    """
    if encoding in ("", "identity"):
        return content
    if encoding not in ("gzip", "x-gzip"):
        raise Problem(
            415, "unsupported-encoding", "a body may be packed by gzip, once", headers={"Accept-Encoding": "gzip"}
        )
    parts: list[bytes] = []
    left, room = content, most
    for _ in range(MEMBERS):
        member = zlib.decompressobj(GZIP)
        try:
            parts.append(member.decompress(left, room + 1))
        except zlib.error as e:
            raise Problem(400, "damaged-body", "the body is not what gzip makes") from e
        room -= len(parts[-1])
        if room < 0:
            raise Problem(413, "body-too-large", f"the body unpacks to more than {most:,} bytes")
        if not member.eof:
            raise Problem(400, "damaged-body", "the packed body ends too early")
        left = member.unused_data
        if not left:
            return b"".join(parts)
    raise Problem(400, "damaged-body", f"the packed body is in more than {MEMBERS} pieces")


def check_fields(content: bytes, form: Form, source: TableSource, most: int) -> None:
    """Raise Problem 413 for a field of more than `most` characters. What is not to be read at all is not its affair."""
    if len(content) <= most:
        return
    too_large = Problem(413, "field-too-large", f"a row has a field of more than {most:,} characters")
    try:
        rows = _json_rows(content) if form is Form.JSON else _csv_rows(content, source)
        if any(len(field) > most for row in rows for field in row):
            raise too_large
    except csv.Error:  # Here it can only say that a field is longer than it reads at all.
        raise too_large from None
    except RecursionError:
        raise MalformedBatch("the batch is nested too deeply", hint="a row is an object of plain values") from None
    except ValueError:
        return


def _json_rows(content: bytes) -> Iterable[list[str]]:
    batch = json.loads(content)
    return ([*row, *map(_text, row.values())] for row in batch if isinstance(row, dict))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _csv_rows(content: bytes, source: TableSource) -> Iterable[list[str]]:
    lines = content.decode("utf-8").splitlines(keepends=True)
    return csv.reader(lines, delimiter=source.csv.delimiter, quotechar=source.csv.quote)
