"""Names and texts as they stand in SQL."""

from collections.abc import Iterable


def identifier(name: str) -> str:
    """`name` as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a string literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """Comma-separated string literals."""
    return ", ".join(literal(text) for text in texts)


def identifiers(names: Iterable[str]) -> str:
    """Comma-separated quoted identifiers."""
    return ", ".join(identifier(name) for name in names)
