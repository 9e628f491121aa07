"""Answers that come as JSON or as CSV, as the caller wishes."""

from io import BytesIO
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
from fastapi import Depends, Query, Request, Response

from clearer_platform.serving.api.problems import Problem
from clearer_platform.serving.exporting import write_stream
from clearer_platform.serving.formats import Format
from clearer_platform.serving.spreadsheets import defused

CSV, JSON = "text/csv", "application/json"
OFFERED = (JSON, CSV)


def _wish(
    request: Request,
    form: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="Instead of what the Accept header says.")
    ] = None,
) -> str:
    """The media type of the answer. Raises Problem 406."""
    if form:
        return CSV if form == "csv" else JSON
    found = negotiated(request.headers.get("accept", "*/*"))
    if found is None:
        raise Problem(406, "not-acceptable", "answers are JSON or CSV", hint=f"accept {JSON} or {CSV}")
    return found


Wish = Annotated[str, Depends(_wish)]


def negotiated(accept: str) -> str | None:
    """Which of the media types that are offered an Accept header likes best; JSON where it likes both alike."""
    liked = {kind: _quality(accept, kind) for kind in OFFERED}
    best = max(liked, key=lambda kind: liked[kind])
    return best if liked[best] > 0 else None


def _quality(accept: str, kind: str) -> float:
    """How much an Accept header likes a media type: what it says of the most specific range counts."""
    said: dict[str, float] = {}
    for each in accept.split(","):
        name, *parameters = (part.strip().lower() for part in each.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            said[name] = float(quality)
        except ValueError:
            said[name] = 0
    ranges = (kind, f"{kind.split('/')[0]}/*", "*/*")
    return next((said[name] for name in ranges if name in said), 0)


def csv(table: pa.Table, work: Path) -> Response:
    """`table` as CSV that a spreadsheet can open without running anything, made by way of the folder `work`."""
    stream = BytesIO()
    write_stream(defused(table), stream, Format.CSV, work)
    return Response(stream.getvalue(), media_type=f"{CSV}; charset=utf-8; header=present")


def as_csv(description: str) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of an answer that may be CSV."""
    return {200: {"description": description, "content": {CSV: {"schema": {"type": "string"}}}}}
