"""Arrays of elements out of JSON texts by the letter: what a lenient reader would take, or round, is told apart."""

import json
from dataclasses import dataclass
from typing import Any

MALFORMED = "record.malformed"


class Twice:
    """An object with a key twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Twice:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice()


def _no_number(name: str) -> None:
    raise ValueError(name)


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=str, parse_int=str, parse_constant=_no_number)
"""Numbers stay the texts that they are written as."""
WORDS = {True: "true", False: "false"}


@dataclass(frozen=True)
class Element:
    """An element of an array: its values as texts (None: malformed), and how it is written."""

    values: dict[str, str | None] | None
    raw: str


def elements(text: str) -> list[Element] | None:
    """The elements of an array, or None where the text is none."""
    try:
        if type(DECODER.decode(text)) is not list:
            return None
    except ValueError:
        return None
    found, at = [], _next(text, text.index("[") + 1)
    while text[at] != "]":
        value, end = DECODER.raw_decode(text, at)
        found.append(Element(_texts(value) if type(value) is dict else None, text[at:end]))
        at = _next(text, end)
        at = _next(text, at + 1) if text[at] == "," else at
    return found


def _next(text: str, at: int) -> int:
    while text[at] in " \t\n\r":
        at += 1
    return at


def _texts(record: dict[str, Any]) -> dict[str, str | None]:
    return {k: WORDS[v] if isinstance(v, bool) else v for k, v in record.items()}
