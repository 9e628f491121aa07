"""Counting what was found in the deliveries of a batch, table by table, and naming the first lines of what is wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import duckdb

from clearer_platform.bronze import is_json_lines
from clearer_platform.contracts import POSITION
from clearer_platform.silver import json_lines
from clearer_platform.silver.bad import BAD, BATCH_REJECTED, MALFORMED, REPEATED_KEY, UNDECODABLE
from clearer_platform.silver.elements import MISSPELT
from clearer_platform.silver.outcome import FIRST, Problem
from clearer_platform.silver.prepare import Prepared
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.spans import OVERLAPS, SECOND_OPEN
from clearer_platform.silver.sql import held
from clearer_platform.silver.validate import JUDGED, Share


@dataclass
class Tally:
    """What was found in one delivery of the rows of one table."""

    delivered: int
    """Rows, counted independently of the engine."""
    rejected: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    """Columns that the contract does not know."""


def tallies(
    con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share], counts: Sequence[int]
) -> list[Tally]:
    """The tally of every delivery of the batch, from the tables `bad` and `judged`, and how many rows each has."""
    bad, judged = judgement.table(BAD), judgement.table(JUDGED)
    found = [Tally(count, extra=list(judgement.header.extra)) for count in counts]
    for number, count in con.execute(f"SELECT _number, count(*) FROM {bad} GROUP BY _number").fetchall():
        found[number].rejected = count
    noted = f"SELECT _file, unnest(_warnings) AS name FROM {judged} WHERE len(_warnings) > 0"
    for number, name, count in con.execute(
        f"SELECT _file, name, count(*) FROM ({noted}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        found[number].warnings[name] = count
    position = held(POSITION) if judgement.contract.nested else "NULL::BIGINT"
    broken = f"SELECT _number, unnest(_rules) AS name, row(_line, {position}) AS place FROM {bad}"
    for number, name, count, places in con.execute(
        f"SELECT _number, name, count(*), min(place, {FIRST}) FROM ({broken}) GROUP BY _number, name ORDER BY ALL"
    ).fetchall():
        found[number].rules[name] = count
        found[number].problems += [problem(judgement, shares[number].prepared, name, *place) for place in places]
    if judgement.contract.nested:
        keys = f"SELECT DISTINCT _file, unnest(map_keys(_extra)) AS name FROM {judged} WHERE _extra IS NOT NULL"
        for number, name in con.execute(f"{keys} ORDER BY ALL").fetchall():
            found[number].extra.append(name)
    for tally in found:
        tally.problems.sort(key=lambda p: (p.line or 0, p.position or 0, p.rule))
        tally.problems = [*replace(judgement.header, extra=tuple(tally.extra)).problems, *tally.problems]
    return found


def problem(judgement: Judgement, prepared: Prepared, rule: str, line: int, position: int | None = None) -> Problem:
    """A broken rule and its place, in words."""
    condition = {c.rule: c for c in judgement.conditions[0]}.get(rule)
    message, column = (condition.message, condition.column) if condition else _said(judgement, prepared, rule)
    return Problem(rule=rule, message=message, line=line, position=position, column=column)


def _said(judgement: Judgement, prepared: Prepared, rule: str) -> tuple[str, str | None]:
    """What a rule that is no condition of the contract says, and of which column."""
    nested, column = judgement.contract.nested, rule.removesuffix(MISSPELT)
    if nested and rule == f"{nested.column}.malformed":
        return "not a JSON array", nested.column
    if nested and column in judgement.delivered:
        key = judgement.source.columns.get(column, column)
        return f"a key that is {key!r} but for case or spaces", column
    malformed = f"not {len(judgement.header.columns)} fields, or a quote or control character out of place"
    if nested:
        malformed = "not a JSON object, or one with a key twice, NUL, or half a surrogate pair"
    elif is_json_lines(prepared.delivery.slot):
        malformed = json_lines.MALFORMED
    return {
        MALFORMED: malformed,
        UNDECODABLE: f"bytes that are not {prepared.text.encoding} text",
        BATCH_REJECTED: "its batch was rejected as a whole when it came, because of an invalid row",
        REPEATED_KEY: "its key stands in an earlier row of the delivery",
        OVERLAPS: "it shares days with an earlier one",
        SECOND_OPEN: "it has no end, and neither has an earlier one",
    }[rule], None
