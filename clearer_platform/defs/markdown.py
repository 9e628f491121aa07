"""Markdown that shows any text as it is: names of files, messages and values hold whatever their senders put there."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

SIGNS = re.compile(r"[\\`*\[\]<>|~&$]|(?<![^\W_])_|_(?![^\W_])")
"""What markdown would take for its own; an underscore not where it stands between letters or digits."""


def table(names: Sequence[str], rows: Iterable[Sequence[object]]) -> dg.MetadataValue[Any]:
    """Rows under the names of their columns."""
    return dg.MetadataValue.md("\n".join([_line(names), "|" + "---|" * len(names), *map(_line, rows)]))


def bullets(items: Iterable[object]) -> dg.MetadataValue[Any]:
    """A list."""
    return dg.MetadataValue.md("\n".join(f"- {text(item)}" for item in items))


def text(value: object) -> str:
    """A value on one line, with nothing in it that markdown would take for its own; None is empty."""
    return "" if value is None else SIGNS.sub(r"\\\g<0>", " ".join(f"{value}".splitlines()))


def _line(cells: Iterable[object]) -> str:
    return f"| {' | '.join(map(text, cells))} |"
