"""Judging the records of prepared deliveries in batches, and reconciling what the engine found with the index."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date

import duckdb

from clearer_platform.silver.outcome import Refusal
from clearer_platform.silver.prepare import ORDINARY_LINE, Prepared
from clearer_platform.silver.query import FAR, Judgement, reader

JUDGED = "judged"
"""What `Judgement.table` calls the table of judged rows."""
POSSIBLE = set(range(MINYEAR, MAXYEAR + 1))
SAMPLE, MANY = 10_000, 200_000
"""Rows that are judged before all, to learn their years, where there are many."""
PARALLEL_BYTES = 8_000_000
"""Above this size the engine reads a file in pieces, for which a quoted newline is not safe."""


@dataclass(frozen=True)
class Share:
    """What the table `judged` holds of the records of one delivery."""

    prepared: Prepared
    first: int
    """rowid of its first row; the others follow in the order of its readable records."""
    count: int


@dataclass
class Years:
    """Years in which local times are resolved, of one table; grows by what deliveries hold."""

    known: set[int] = field(default_factory=set)

    def expect(self, days: Iterable[date]) -> None:
        """Know the years around business days, in which most local times of their deliveries are."""
        for year in {day.year for day in days}:
            self.known |= {year - 1, year, year + 1} & POSSIBLE


def judge(
    con: duckdb.DuckDBPyConnection,
    judgement: Judgement,
    batch: Sequence[Prepared],
    years: Years,
    in_pieces: bool = True,
) -> Iterator[tuple[list[Share], list[tuple[Prepared, Refusal]]]]:
    """Fill the table `judged`, as often as it takes: yields the deliveries in it and those that cannot be read at all.

    What cannot be read together is read one by one, from beginning to end.
    """
    try:
        shares = _filled(con, judgement, batch, years, in_pieces)
    except Unreadable as e:
        if len(batch) == 1 and not in_pieces:
            yield [], [(batch[0], Refusal("unreadable", f"the engine cannot read it: {e}"))]
            return
    else:
        yield shares, []
        return
    for prepared in batch:
        yield from judge(con, judgement, [prepared], years, in_pieces=False)


class Unreadable(Exception):
    """The engine raised, or did not find the records that the index has."""


def options(batch: Sequence[Prepared], in_pieces: bool) -> str:
    """What the reader must be told of long records, and of those that span lines in a file read in pieces."""
    longest, options = max(p.longest for p in batch), ""
    if longest > ORDINARY_LINE:
        options += f", max_line_size={longest + ORDINARY_LINE}, buffer_size={2 * longest + 4 * ORDINARY_LINE}"
    if not in_pieces or any(p.records.is_multiline and p.size > PARALLEL_BYTES for p in batch):
        options += ", parallel=false"
    return options


def _filled(
    con: duckdb.DuckDBPyConnection, judgement: Judgement, batch: Sequence[Prepared], years: Years, in_pieces: bool
) -> list[Share]:
    readable = [p for p in batch if p.readable_count]
    years.expect(p.delivery.day for p in batch)
    files = [p.readable for p in readable or batch[:1]]
    texts = reader(judgement, files, options(batch, in_pieces))
    fill(con, judgement, years, texts, sum(p.readable_count for p in readable))
    empty = [Share(p, 0, 0) for p in batch if not p.readable_count]
    return _shares(con, judgement, readable) + empty


def fill(
    con: duckdb.DuckDBPyConnection, judgement: Judgement, years: Years, texts: str, count: int, table: str = JUDGED
) -> None:
    """Judge `texts`, which are some `count` rows, into a table; once more where they hold years that were not known."""
    judged = judgement.table(table)
    rounds = ["" if count else "LIMIT 0"]
    if count > MANY and judgement.zoned:
        rounds.append(f"LIMIT {SAMPLE}")
    while rounds:
        limit = rounds.pop()
        execute(con, f"CREATE OR REPLACE TABLE {judged} AS {judgement.sql(texts, years.known)} {limit}")
        rules = con.execute(f"SELECT DISTINCT unnest(_rules) FROM {judged} WHERE len(_rules) > 0").fetchall()
        if further := far(rule for (rule,) in rules):
            years.known |= further
            rounds = rounds or [limit]


def execute(con: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyConnection:
    """Run a query that reads texts. Raises Unreadable where the engine cannot read them."""
    try:
        return con.execute(query)
    except (duckdb.InvalidInputException, duckdb.ConversionException, duckdb.NotImplementedException) as e:
        # The engine's message quotes the record: only its first line, which names the place, is passed on.
        raise Unreadable(str(e).splitlines()[0]) from e


def _shares(con: duckdb.DuckDBPyConnection, judgement: Judgement, readable: Sequence[Prepared]) -> list[Share]:
    """Which rows are whose, checked against the index. Raises Unreadable where a record is lost or too many."""
    judged = judgement.table(JUDGED)
    found = con.execute(
        f"SELECT _file, count(*), min(rowid), max(rowid) FROM {judged} GROUP BY _file ORDER BY _file"
    ).fetchall()
    if [row[0] for row in found] != list(range(len(readable))):
        raise Unreadable("not every file was read")
    shares: list[Share] = []
    for prepared, (_, count, first, last) in zip(readable, found, strict=True):
        if count != prepared.readable_count or last - first + 1 != count:
            raise Unreadable(f"{prepared.readable_count} records are in it, {count} were read")
        shares.append(Share(prepared, first, count))
    return shares


def far(rules: Iterable[str]) -> set[int]:
    """Years of local times that could not be resolved, of all that stands in the place of rules."""
    return {int(rule.removeprefix(FAR)) for rule in rules if rule.startswith(FAR)}
