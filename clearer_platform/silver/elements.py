"""The elements of the arrays in a column of judged records as texts that can be judged: one row an element.

A *sound* text is taken apart by the engine, any other by Python's json, to the same rows. Sound is an array of flat
objects that have the keys that are usual in the batch, each at most once and in one order, and strings without a
backslash: nothing in such a text is a matter of opinion. Its numbers are put in quotes, so that they stay as written.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa

from clearer_platform.contracts import POSITION
from clearer_platform.silver.arrays import elements, field_text
from clearer_platform.silver.bad import MALFORMED, good_rows
from clearer_platform.silver.header import misspelling
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.sql import held, literal
from clearer_platform.silver.validate import JUDGED

LEFT = "left"
"""Stands, in the place of a rule, in the one row of an array that is left to Python."""
SAMPLE, SHORT, MOST_UNKNOWN = 100, 10_000, 50
"""Arrays whose keys are looked at, the bytes that they are shorter than, and unknown keys that can be usual."""
MISSPELT = ".misspelt"
"""How the rule ends that an element breaks whose key is a column's but for case or spaces."""
AT_ONCE = 20_000
"""Arrays that Python takes apart before their elements are judged."""

PLAIN = re.compile(r'[^"\\\x00-\x1f]+')
STRING = r'"[^"\\\x00-\x1f]*"'
NUMBER = r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"


def engine_elements(con: duckdb.DuckDBPyConnection, parent: Judgement, child: Judgement) -> str:
    """SQL for the elements of the accepted records in the parent's `judged`, as far as the engine takes them apart.

    Its columns: `_file` and `_row` of the record, `g<i>` for its key and the position, `r<i>` a text for each other
    column, `_extra`, and `_fault`, the rule that an element breaks before it is judged.
    """
    column, given = _column(child), _given(child)
    records = f"FROM {parent.table(JUDGED)} WHERE {good_rows(parent)} AND {column} <> ''"
    usual = f"starts_with({column}, '[{{') AND strlen({column}) < {SHORT}"
    sample = con.execute(f"SELECT {column} {records} AND {usual} LIMIT {SAMPLE}").fetchall()
    keys = _usual_keys(child, (text for (text,) in sample))
    return f"""(SELECT * EXCLUDE (_element), {_fields(child, keys)},
            CASE WHEN _element IS NULL THEN '{LEFT}' END AS _fault
        FROM (SELECT * EXCLUDE (_array), unnest(_array) AS _element,
            unnest(range(1, len(_array) + 1)) AS g{child.given[POSITION]}
        FROM (SELECT * EXCLUDE (_text), coalesce(TRY({_taken_apart(keys)}), [NULL]) AS _array
        FROM (SELECT _file, rowid AS _row, {given}, {column} AS _text {records}))))"""


def python_elements(
    con: duckdb.DuckDBPyConnection, parent: Judgement, child: Judgement, rows: Sequence[int]
) -> Iterator[tuple[str, int]]:
    """SQL for the elements in certain rows of the parent's `judged`, and their number, some rows at a time."""
    records = f"(SELECT *, rowid AS _row FROM {parent.table(JUDGED)})"
    for first in range(0, len(rows), AT_ONCE):
        con.register("portion", pa.table({"_row": rows[first : first + AT_ONCE]}))
        arrays = con.execute(f"SELECT _row, {_column(child)} FROM {records} SEMI JOIN portion USING (_row)").fetchall()
        found = _by_python(child, arrays)
        con.register("portion", found)
        joined = f"SELECT _file, {_given(child)}, portion.* FROM portion JOIN {records} USING (_row)"
        yield f"({joined} ORDER BY _row, g{child.given[POSITION]})", found.num_rows
        con.unregister("portion")


def _column(child: Judgement) -> str:
    assert child.contract.nested is not None
    return held(child.contract.nested.column)


def _given(child: Judgement) -> str:
    """What an element has of its record's key."""
    return ", ".join(f"{held(name)} AS g{i}" for name, i in child.given.items() if name != POSITION)


def _usual_keys(child: Judgement, texts: Iterable[str]) -> list[str]:
    """The keys of some arrays in an order that fits all of them, if one does, and what else the contract knows.

    Of names that differ in case alone, which the engine cannot tell apart, only the first; what may be misspelt is left
    to Python, which says so.
    """
    wanted, found = _wanted(child), list[str]()
    for text in texts:
        for element in elements(text) or ():
            place = 0
            for key in element.fields or ():
                if key not in found:
                    found.insert(place, key)
                place = found.index(key) + 1
    found += [key for key in wanted if key not in found]
    near = {name.casefold() for name in (*wanted, *wanted.values())}
    unknown = [k for k in found if k not in wanted and k.strip().casefold() not in near and PLAIN.fullmatch(k)]
    usual = [key for key in found if key in wanted or key in unknown[:MOST_UNKNOWN]]
    return list({key.casefold(): key for key in reversed(usual)}.values())[::-1]


def _wanted(child: Judgement) -> dict[str, str]:
    """Key in the elements -> column."""
    return {child.source.columns.get(name, name): name for name in child.delivered}


def _taken_apart(keys: Sequence[str]) -> str:
    """SQL for a list of one struct an element, all text; NULL where the text is not sound.

    A number stands behind a key, so behind a quote and a colon. A string may begin with a colon and a number as well:
    put in quotes, that makes no JSON, and is Python's affair.
    """
    flat, numbered = (literal(_pattern(keys, value)) for value in (STRING, f"{STRING}|{NUMBER}"))
    quoted = f"""regexp_replace(_text, '": ?({NUMBER})', '":"\\1"', 'g')"""
    structure = literal(json.dumps([dict.fromkeys(keys, "VARCHAR")], ensure_ascii=False))
    return (
        f"from_json(CASE WHEN regexp_full_match(_text, {flat}) THEN _text "
        f"WHEN regexp_full_match(_text, {numbered}) THEN {quoted} END, {structure})"
    )


def _pattern(keys: Sequence[str], value: str) -> str:
    """An array of flat objects with these keys in this order. A comma missing or before all is the engine's to find."""
    members = [f'"{re.escape(key)}": ?(?:null|true|false|{value})' for key in keys]
    record = f"\\{{(?:{members[0]})?{''.join(f'(?:(?:, ?)?{member})?' for member in members[1:])}\\}}"
    return f"\\[(?:(?:, ?)?{record})*\\]"


def _fields(child: Judgement, keys: Sequence[str]) -> str:
    """The texts of an element that the engine took apart, by the contract's columns; and what else it holds."""
    wanted = _wanted(child)
    value = {key: f"struct_extract(_element, {literal(key)})" for key in keys}
    texts = [f"{value.get(key, 'NULL::VARCHAR')} AS r{child.delivered[name]}" for key, name in wanted.items()]
    unknown = [f"{{'k': {literal(key)}, 'v': {value[key]}}}" for key in keys if key not in wanted]
    extra = f"list_filter([{', '.join(unknown)}], lambda x: x.v IS NOT NULL)" if unknown else "NULL"
    made = f"CASE WHEN len({extra}) > 0 THEN map_from_entries({extra}) END" if unknown else "NULL"
    return ", ".join([*texts, f"CAST({made} AS MAP(VARCHAR, VARCHAR)) AS _extra"])


def _by_python(child: Judgement, texts: Sequence[tuple[int, str]]) -> pa.Table:
    """The rows of arrays that are not sound."""
    rows = [row for place, text in texts for row in _rows(child, place, text)]
    schema = pa.schema(
        [
            ("_row", pa.int64()),
            (f"g{child.given[POSITION]}", pa.int64()),
            ("_fault", pa.string()),
            ("_extra", pa.map_(pa.string(), pa.string())),
            *((f"r{i}", pa.string()) for i in child.delivered.values()),
        ]
    )
    return pa.Table.from_pylist(rows, schema)


def _rows(child: Judgement, place: int, text: str) -> Iterator[dict[str, Any]]:
    """The rows of one array: one alone where it cannot be taken apart."""
    assert child.contract.nested is not None
    position, wanted, found = f"g{child.given[POSITION]}", _wanted(child), elements(text)
    if found is None:
        yield {"_row": place, "_fault": f"{child.contract.nested.column}.malformed"}
    for number, element in enumerate(found or (), 1):
        row: dict[str, Any] = {"_row": place, position: number}
        if element.fields is None:
            yield {**row, "_fault": MALFORMED}
            continue
        unknown = [key for key in element.fields if key not in wanted]
        if unknown:
            row |= _beside(element.fields, unknown, wanted)
        row |= {f"r{child.delivered[n]}": field_text(element.fields.get(key)) for key, n in wanted.items()}
        yield row


def _beside(fields: Mapping[str, Any], unknown: list[str], wanted: dict[str, str]) -> dict[str, Any]:
    """What is to be said of keys that the contract does not know."""
    if misspelt := misspelling(unknown, fields.keys(), wanted):
        return {"_fault": f"{wanted[misspelt[1]]}{MISSPELT}"}
    extra = [(key, value) for key in unknown if (value := field_text(fields[key])) is not None]
    return {"_extra": extra or None}
