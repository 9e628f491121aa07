"""Counting what was found wrong in the deliveries of a batch, and naming its first lines."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb

from clearer_platform.bronze import is_json_lines
from clearer_platform.silver import json_lines
from clearer_platform.silver.bad import BAD, MALFORMED, REPEATED_KEY, UNDECODABLE
from clearer_platform.silver.outcome import FIRST, Problem
from clearer_platform.silver.prepare import Prepared
from clearer_platform.silver.query import Judgement
from clearer_platform.silver.validate import JUDGED, Share


@dataclass
class Tally:
    """What was found wrong in one delivery."""

    rejected: int = 0
    rules: dict[str, int] = field(default_factory=dict)
    warnings: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def tallies(con: duckdb.DuckDBPyConnection, judgement: Judgement, shares: Sequence[Share]) -> list[Tally]:
    """The tally of every delivery of the batch, from the tables `bad` and `judged`."""
    found = [Tally() for _ in shares]
    for number, count in con.execute(f"SELECT _number, count(*) FROM {BAD} GROUP BY _number").fetchall():
        found[number].rejected = count
    noted = f"SELECT _file, unnest(_warnings) AS name FROM {JUDGED} WHERE len(_warnings) > 0"
    for number, name, count in con.execute(
        f"SELECT _file, name, count(*) FROM ({noted}) GROUP BY ALL ORDER BY ALL"
    ).fetchall():
        found[number].warnings[name] = count
    broken = f"SELECT _number, unnest(_rules) AS name, _line FROM {BAD}"
    for number, name, count, lines in con.execute(
        f"SELECT _number, name, count(*), min(_line, {FIRST}) FROM ({broken}) GROUP BY _number, name ORDER BY ALL"
    ).fetchall():
        found[number].rules[name] = count
        found[number].problems += [_problem(judgement, shares[number].prepared, name, line) for line in lines]
    for tally in found:
        tally.problems.sort(key=lambda problem: (problem.line or 0, problem.rule))
    return found


def _problem(judgement: Judgement, prepared: Prepared, rule: str, line: int) -> Problem:
    condition = {c.rule: c for c in judgement.conditions[0]}.get(rule)
    if condition:
        return Problem(rule=rule, message=condition.message, line=line, column=condition.column)
    fields = f"not {len(judgement.header.columns)} fields, or a quote or control character out of place"
    message = {
        MALFORMED: json_lines.MALFORMED if is_json_lines(prepared.delivery.slot) else fields,
        UNDECODABLE: f"bytes that are not {prepared.text.encoding} text",
        REPEATED_KEY: "its key stands in an earlier row of the delivery",
    }[rule]
    return Problem(rule=rule, message=message, line=line)
