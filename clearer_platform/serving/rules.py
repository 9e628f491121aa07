"""What a broken rule means, in words from its contract and registry entry, and what to do about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pandera.api.checks import Check

from clearer_platform.contracts import Contract
from clearer_platform.regions import TableSource
from clearer_platform.silver import BATCH_REJECTED


@dataclass(frozen=True)
class Explanation:
    """One rule, explained."""

    region: str
    table: str
    rule: str
    meaning: str
    remedy: str


MEND = "correct it at the source and deliver the file again under the same name"
JSONS_OWN = ("not_a_decimal", "not_a_boolean")
"""What elements write as JSON does, whatever the region's format is."""
_REFUSED = "mend what the message names and deliver the file again; the last good version stays until then"
_RECORD = {
    "malformed": (
        "the record does not have the header's number of fields, or its quotes do not match; in a .jsonl file, it is "
        "not one JSON object",
        "look at its line: an unquoted delimiter, a line break or an unpaired quote is the usual reason",
    ),
    "undecodable": (
        "the record holds bytes that are not {encoding} (in a .jsonl file: not utf-8)",
        "save the file as {encoding}, or set csv.encoding of the region (or of this table) to what it is",
    ),
    "repeated_key": ("an earlier record of the same delivery has the same {key}", "deliver each {key} once"),
    "overlaps": ("{start} to {end} shares days with an earlier one of the same {within}, which was accepted", MEND),
    "second_open": ("it has no {end}, and neither has an earlier one of the same {within}", MEND),
}
_BATCH = (
    "a row of its batch is invalid, and it was sent with on_invalid=reject_batch: nothing of it is written",
    "mend the rows that the batch's log names, and send the batch again",
)
_ELEMENT = (
    "the element is not a JSON object, has a key twice, or holds NUL or half a surrogate pair",
    "look at the text at its position in the array",
)
_ARRAY = (
    "{column} does not hold a JSON array, or one that is nested too deeply: no element can be told from another",
    "look at the text on its line; where there is nothing, deliver [] or nothing",
)
_PARSING = {
    "misspelt": (
        "the element has a key that is that of {column} but for case or spaces",
        "correct it at the source, or name it in tables.{parent}.nested.{table} of the region",
    ),
    "missing": ("{column} is required and has no value", "fill it in at the source and deliver the file again"),
    "not_a_decimal": (
        "{column} is not a decimal with {decimal!r} as decimal sign{thousands} that fits {dtype}",
        "write it so, or set csv.decimal and csv.thousands of the region to what its files use",
    ),
    "not_a_integer": ("{column} is not a whole number that fits {dtype}", MEND),
    "not_a_date": ("{column} is not a date written as {date}", "write it so, or set csv.date of the region"),
    "not_a_timestamp": (
        "{column} is not a timestamp in the years 1 to 9999 (in UTC) written as {datetime}",
        "write it so, or set csv.datetime of the region",
    ),
    "not_a_boolean": ("{column} is none of {booleans}", "write it so, or set csv.true and csv.false of the region"),
    "nonexistent_local_time": (
        "{column} is a local time that does not exist in {timezone}: the clocks went forward over it",
        'correct it at the source, or set gap = "forward" for the region to move such times forward',
    ),
    "ambiguous_local_time": (
        "{column} is a local time that exists twice in {timezone}: the clocks went back over it",
        'set fold = "earlier" or "later" for the region to choose one of the two',
    ),
}
_PARSING["not_an_integer"] = _PARSING["not_a_integer"]
_CHECKS = {
    "greater_than": "more than {min_value}",
    "greater_than_or_equal_to": "{min_value} or more",
    "less_than": "less than {max_value}",
    "less_than_or_equal_to": "{max_value} or less",
    "in_range": "from {min_value} to {max_value}",
    "equal_to": "{value}",
    "not_equal_to": "other than {value}",
    "isin": "one of {allowed_values}",
    "notin": "none of {forbidden_values}",
    "str_matches": "of the form {pattern}",
    "str_contains": "a text that contains {pattern}",
    "str_startswith": "a text that begins with {string}",
    "str_endswith": "a text that ends in {string}",
    "str_length": "a text of {min_value} to {max_value} characters",
    "unique_values_eq": "one of {values}",
}


def explain(rule: str, contract: Contract, source: TableSource) -> Explanation:
    """`rule` (as silver names it) in words."""
    column, _, name = rule.partition(".")
    if column == "delivery":
        meaning, remedy = "the file was refused as a whole", _REFUSED
    elif rule == BATCH_REJECTED:
        meaning, remedy = _BATCH
    elif contract.nested and rule == f"{contract.nested.column}.malformed":
        meaning, remedy = _ARRAY
    elif contract.nested and rule == "record.malformed":
        meaning, remedy = _ELEMENT
    elif column == "record" and name in _RECORD:
        meaning, remedy = _RECORD[name]
    elif name in _PARSING:
        meaning, remedy = _PARSING[name]
        if contract.nested and name in JSONS_OWN:
            remedy = MEND
    else:
        return Explanation(source.region, contract.name, rule, _of_check(contract, column, name), MEND)
    words = _words(contract, source, column)
    return Explanation(source.region, contract.name, rule, meaning.format(**words), remedy.format(**words))


def _words(contract: Contract, source: TableSource, column: str) -> dict[str, Any]:
    csv = source.csv
    types = {c.name: str(c.dtype) for c in contract.columns}
    return {
        "column": column,
        "table": contract.name,
        "parent": contract.nested.parent if contract.nested else "",
        "start": contract.spans.start if contract.spans else "",
        "end": contract.spans.end if contract.spans else "",
        "within": ", ".join(contract.spans.within) if contract.spans else "",
        "dtype": types.get(column, ""),
        "key": ", ".join(contract.key),
        "encoding": csv.encoding,
        "decimal": csv.decimal,
        "thousands": f" and {csv.thousands!r} between thousands" if csv.thousands else "",
        "date": csv.date,
        "datetime": csv.datetime,
        "booleans": ", ".join((*csv.true, *csv.false)),
        "timezone": source.timezone,
    }


def _of_check(contract: Contract, column: str, name: str) -> str:
    """What a check of the contract asks for."""
    if column == "record":
        named = {check.name: check for check in contract.row_checks}
        return f"the record breaks the contract's rule {name}{_comment(named.get(name))}"
    checks = {check.name: check for c in contract.columns if c.name == column for check in c.checks}
    check = checks.get(name)
    if check is None:
        return f"{column} breaks the rule {name}"
    if name in _CHECKS and check.statistics:
        return f"{column} has to be {_CHECKS[name].format(**_listed(check.statistics))}"
    return f"{column} breaks the contract's rule {name}{_comment(check)}"


def _comment(check: Check | None) -> str:
    """The rule's own words, where it was given any."""
    function = getattr(check, "_check_fn", None)
    text = (check.error or check.description if check else None) or getattr(function, "__doc__", None)
    return f": {text.strip()}" if text else ""


def _listed(statistics: Mapping[str, Any]) -> dict[str, Any]:
    return {
        k: ", ".join(sorted(map(str, v))) if isinstance(v, set | list | tuple) else v for k, v in statistics.items()
    }
