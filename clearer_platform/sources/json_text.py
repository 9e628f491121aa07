"""JSON as text: where values begin and end, without reading them into values and writing them again."""

import json
import re
from collections.abc import Iterator
from typing import Any

SPACE = re.compile(r"[ \t\n\r]*")
BREAK = re.compile(r"[ \t\n\r]*[\n\r][ \t\n\r]*")
TEXTS = json.JSONDecoder(parse_int=str, parse_float=str)
"""For finding where a value ends: no number is too long for it."""


def elements(text: str, start: int) -> Iterator[tuple[str, Any]]:
    """Each element of the list at `start`, as text on one line and as a value. The text is known to be JSON.

    A line break can only stand between two tokens, where no JSON text needs it.
    """
    place = skip(text, start + 1)
    while text[place] != "]":
        value, end = TEXTS.raw_decode(text, place)
        yield BREAK.sub("", text[place:end]), value
        place = skip(text, end)
        if text[place] == ",":
            place = skip(text, place + 1)


def skip(text: str, place: int) -> int:
    """The first place from `place` on that is not white space."""
    found = SPACE.match(text, place)
    assert found
    return found.end()
