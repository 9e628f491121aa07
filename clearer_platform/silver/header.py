"""What a delivery's header says: which field is which contract column, and whether the delivery can be judged."""

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass

from clearer_platform.contracts import Contract, Drift
from clearer_platform.regions import TableSource
from clearer_platform.silver.outcome import Problem, Refusal

RECORD = ": the first line looks like a record, not like a header (without one: header = false in the csv block)"
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar", ":": "a colon"}


@dataclass(frozen=True)
class Header:
    """The fields of a delivery's records, in order. Deliveries with equal headers are judged in one query."""

    columns: tuple[str | None, ...]
    """The contract column of each field; None for a field that the contract does not know."""
    extra: tuple[str, ...]
    """Names of the unknown fields, in order."""
    is_delivered: bool
    """Whether the text has a header line."""

    @property
    def problems(self) -> list[Problem]:
        """What is to be said of a delivery with this header although it can be judged."""
        return [
            Problem(
                rule="delivery.unknown_column",
                column=name,
                line=1 if self.is_delivered else None,
                message=f"column {name!r} is not in the contract; its values are kept beside the rows",
            )
            for name in self.extra
        ]


def split(text: str, delimiter: str, quote: str) -> list[str]:
    """The fields of one well-formed record."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote, strict=True), [])


def read_header(names: list[str], line: int | None, contract: Contract, source: TableSource) -> Header:
    """What the header names mean. Raises Refusal for one that the contract and the registry cannot accept.

    `line` is None for names that stand in the records themselves.
    """
    wanted = {source.columns.get(c.name, c.name): c.name for c in contract.columns}
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        looks = "" if set(names) & set(wanted) or line != 1 or not _looks_like_data(names) else RECORD
        message = f"the header has {_listed(repeated)} more than once{looks}"
        raise Refusal("duplicate_column", message, line=line, column=repeated[0])
    required = [source.columns.get(c.name, c.name) for c in contract.columns if c.required]
    missing = [name for name in required if name not in names]
    unknown = [name for name in names if name not in wanted]
    if missing:
        raise Refusal(
            "missing_column", _missing(missing, unknown, names, line, contract, source), line=line, column=missing[0]
        )
    if misspelt := misspelling(unknown, names, wanted):
        where = "the header has" if line else "records have"
        raise Refusal(
            "misspelt_column",
            f"{where} {misspelt[0]!r} where {misspelt[1]!r} is expected; {_mend(contract, source)}",
            line=line,
            column=misspelt[1],
        )
    if unknown and contract.drift is Drift.REFUSE:
        raise Refusal(
            "unknown_column", f"the contract refuses columns it does not know: {_listed(unknown)}", line=line,
            column=unknown[0],
        )  # fmt: skip
    return Header(tuple(wanted.get(name) for name in names), tuple(unknown), is_delivered=True)


def no_header(fields: int, contract: Contract) -> Header:
    """The header of a delivery without one: the contract's columns in order, but for optional ones at the end."""
    least = max(i + 1 for i, c in enumerate(contract.columns) if c.required)
    if not least <= fields <= len(contract.columns):
        raise Refusal(
            "columns",
            f"the first record has {fields} fields; without a header it must have {least} to {len(contract.columns)}",
            line=1,
        )
    return Header(tuple(c.name for c in contract.columns[:fields]), (), is_delivered=False)


def _missing(
    missing: list[str], unknown: list[str], names: list[str], line: int | None, contract: Contract, source: TableSource
) -> str:
    message = f"missing required column{'s' if len(missing) > 1 else ''} {_listed(missing)}"
    if line is None:
        return f"{message}, which no record has; {_mend(contract, source)}"
    used = source.csv.delimiter
    if len(names) == 1:
        counts = {sign: names[0].count(sign) for sign in DELIMITERS if sign != used}
        sign = max(counts, key=lambda s: counts[s])
        if counts[sign]:
            return (
                f"{message}: the header is one field when split at {_named(used)}, {counts[sign] + 1} when split at "
                f"{_named(sign)}; this looks like a wrong delimiter"
            )
    if len(missing) == len([c for c in contract.columns if c.required]) and line == 1 and _looks_like_data(names):
        return f"{message}{RECORD}"
    return f"{message}; {_mend(contract, source)}" if unknown else message


def _looks_like_data(names: list[str]) -> bool:
    return any(name[:1].isdigit() for name in names)


def misspelling(unknown: list[str], names: Collection[str], wanted: dict[str, str]) -> tuple[str, str] | None:
    """An unknown name that is an absent column's but for case or spaces, or its contract name where another is agreed.

    Keeping it aside as unknown would fill the column with its default: a wrong figure without a word.
    """
    absent = {header: column for header, column in wanted.items() if header not in names}
    for name in unknown:
        for header, column in absent.items():
            if name.strip().casefold() in (header.strip().casefold(), column.casefold()):
                return name, header
    return None


def _mend(contract: Contract, source: TableSource) -> str:
    return f"if it is called otherwise, name it in regions.{source.region}.tables.{contract.name}.columns"


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names)


def _named(sign: str) -> str:
    return DELIMITERS.get(sign, repr(sign))
