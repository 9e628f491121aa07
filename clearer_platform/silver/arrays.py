"""JSON arrays of objects, taken apart by Python: what each element is, and its text as delivered."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any

from clearer_platform.silver.json_lines import (
    DECODER,
    DEEPEST,
    Number,
    RepeatedKey,
    check_escapes,
    compact,
    no_number,
)

SIGN = re.compile(r"[ \t\n\r]*(.?)[ \t\n\r]*")
BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|([\[{])|([\]}])', re.DOTALL)
LENIENT = JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=no_number)
"""For finding the end of an object that has a key twice."""


@dataclass(frozen=True)
class Element:
    """One element of an array."""

    fields: dict[str, Any] | None
    """None where it is no object, has a key twice, or holds what is no text: NUL, half a surrogate pair."""
    text: str


def elements(text: str) -> list[Element] | None:
    """The elements of a JSON array; None where the text is none, or is nested more than DEEPEST levels deep."""
    try:
        return None if is_deep(text) else list(_elements(text))
    except ValueError:
        return None


def field_text(value: Any) -> str | None:
    """A value as text: strings and numbers as they stand there, what is nested as compact JSON; None for null."""
    if value is None or type(value) in (str, Number):
        return value  # type: ignore[no-any-return]
    return compact(value)


def _elements(text: str) -> Iterator[Element]:
    sign, at = _sign(text, 0)
    if sign != "[":
        raise ValueError("not an array")
    if _sign(text, at)[0] == "]":
        sign, at = _sign(text, at)
    while sign in ("[", ","):
        element, at = _element(text, at)
        yield element
        sign, at = _sign(text, at)
    if sign != "]" or at != len(text):
        raise ValueError("not an array")


def _element(text: str, at: int) -> tuple[Element, int]:
    """The element at `at`, and where it ends."""
    try:
        value, end = DECODER.raw_decode(text, at)
    except RepeatedKey:
        value, end = None, LENIENT.raw_decode(text, at)[1]
    own = text[at:end]
    try:
        if type(value) is not dict:
            return Element(None, own), end
        check_escapes(own, value)
        return Element(value, own), end
    except ValueError:
        return Element(None, own), end


def _sign(text: str, at: int) -> tuple[str, int]:
    """The first sign that is not blank, and where the next one is."""
    found = SIGN.match(text, at)
    assert found is not None
    return found[1], found.end()


def is_deep(text: str) -> bool:
    """Whether values are nested more than DEEPEST levels deep, lest it depend on the interpreter's stack."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    level = 0
    for found in BRACKET.finditer(text):
        level += (found[1] is not None) - (found[2] is not None)
        if level > DEEPEST:
            return True
    return False
