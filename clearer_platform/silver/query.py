"""The one query that types and judges texts: the records of a batch of deliveries with equal headers, or elements.

It is a stack of projections, each seeing the names of the one below: no join and no window, so that rows keep the order
of their files. Every condition is computed once; the lists of broken rules are made only for rows that broke one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from clearer_platform.contracts import Column, Contract, LoadMode
from clearer_platform.regions import CsvFormat, TableSource
from clearer_platform.silver import zones
from clearer_platform.silver.conditions import Condition, conditions, is_zoned
from clearer_platform.silver.header import Header
from clearer_platform.silver.parse import parsed
from clearer_platform.silver.sql import held, identifier, literal, literals, sql_type

FAR = "@"
"""Stands, in the place of a rule, before the year of a local time that the query's zone CASE does not cover."""


@dataclass(frozen=True)
class Judgement:
    """How the rows of one table that come with one header are judged."""

    contract: Contract
    source: TableSource
    header: Header
    in_batches: bool = False
    """Whether the rows were sealed from batches, some of which may have been rejected as a whole."""

    @cached_property
    def conditions(self) -> tuple[list[Condition], list[Condition]]:
        """What rejects a row, and what is only noted of it."""
        return conditions(self.contract, self.source, self.header)

    @cached_property
    def delivered(self) -> dict[str, int]:
        """Number in the contract of every column that the deliveries have."""
        return {c.name: i for i, c in enumerate(self.contract.columns) if c.name in self.header.columns}

    @cached_property
    def given(self) -> dict[str, int]:
        """Number in the contract of every column that says where an element stands: known, and not judged again."""
        columns = self.contract.columns if self.contract.nested else ()
        return {c.name: i for i, c in enumerate(columns) if c.name in self.contract.key}

    def table(self, what: str) -> str:
        """Name of the table that holds `what` of the rows."""
        return identifier(f"{what} {self.contract.name}")

    @cached_property
    def zoned(self) -> list[int]:
        """Numbers of the delivered columns that hold instants."""
        return [i for i in self.delivered.values() if is_zoned(self.contract.columns[i])]

    @cached_property
    def constants(self) -> dict[str, str]:
        """SQL for the columns whose value is the same in every row, because the deliveries do not have them."""
        absent = [c for c in self.contract.columns if c.name not in {**self.delivered, **self.given}]
        values = {c.name: f"CAST({c.default or 'NULL'} AS {sql_type(c.dtype)})" for c in absent}
        return values if self._extra else {**values, "_extra": "NULL::MAP(VARCHAR, VARCHAR)"}

    def sql(self, texts: str, years: Iterable[int]) -> str:
        """The query over `texts`, as `reader` or `elements` has them; local times are resolved within `years`."""
        columns, years = self.contract.columns, sorted(set(years))
        rejecting, noted = self.conditions
        values = _list(f"{parsed(columns[i].dtype, f'r{i}', self.source.csv)} AS p{i}" for i in self.delivered.values())
        codes = _list(f"{zones.code(f'p{i}', self._of(i), years)} AS z{i}" for i in self.zoned)
        typed = _list(f"{self._typed(c, i, years)} AS {identifier(c.name)}" for i, c in enumerate(columns))
        flags = _list(
            [f"{c.breaks} AS b{i}" for i, c in enumerate(rejecting)]
            + [f"{c.breaks} AS w{i}" for i, c in enumerate(noted)]
        )
        broken = [(f"b{i}", literal(c.rule)) for i, c in enumerate(rejecting)]
        broken += [(f"p{i} IS NOT NULL AND z{i} IS NULL", f"{literal(FAR)} || year(p{i})") for i in self.zoned]
        broken += [
            (beyond, literal(f"{columns[i].name}.not_a_timestamp"))
            for i in self.zoned
            if (beyond := self._beyond(i, years))
        ]
        warned = [(f"w{i}", literal(c.rule)) for i, c in enumerate(noted)]
        rules, place = _names(broken), "_file"
        if self.contract.nested:
            rules, place = f"CASE WHEN _fault IS NOT NULL THEN [_fault] ELSE {rules} END", "_file, _row"
        named = _list(f"{identifier(name)} AS {held(name)}" for name in {**self.given, **self.delivered})
        return f"""
            SELECT {place}, {rules} AS _rules, {_names(warned)} AS _warnings{self._extra},
                {self._key} AS _key{self._days(years)}{named}
            FROM (SELECT *{flags}
            FROM (SELECT *, {self._is_gone} AS _gone
            FROM (SELECT *{typed}
            FROM (SELECT *{codes}
            FROM (SELECT *{values}
            FROM {texts})))))"""

    def _typed(self, column: Column, i: int, years: Sequence[int]) -> str:
        """The column's final value."""
        if column.name in self.given:
            return f"g{i}"
        if column.name not in self.delivered:
            return self.constants[column.name]
        value = self._resolved(i, years) if i in self.zoned else f"p{i}"
        if column.default is None or column.required:
            return value
        # Not where a text stands that could not be read: that row is rejected, not filled.
        return f"CASE WHEN r{i} IS NULL THEN CAST({column.default} AS {sql_type(column.dtype)}) ELSE {value} END"

    def _of(self, i: int) -> TableSource:
        """How column `i` is read."""
        return self.source.of_column(self.contract.columns[i].name)

    def _resolved(self, i: int, years: Sequence[int]) -> str:
        """The instant of a local time; NULL where the policy rejects it, and beyond the years that there are."""
        state = zones.state(f"z{i}")
        utc = f"make_timestamptz(epoch_us(p{i}) - {zones.offset(f'z{i}')}::BIGINT * 1000000)"
        if beyond := self._beyond(i, years):
            utc = f"CASE WHEN NOT {beyond} THEN {utc} END"
        if self.source.gap == "reject":
            utc = f"CASE WHEN {state} <> {zones.GAP} THEN {utc} END"
        return f"CASE WHEN {state} <> {zones.FOLD} THEN {utc} END" if self.source.fold == "reject" else utc

    def _beyond(self, i: int, years: Sequence[int]) -> str | None:
        return zones.beyond(f"p{i}", f"z{i}", years)

    @property
    def _is_gone(self) -> str:
        return f"coalesce({identifier(self.contract.tombstone)}, false)" if self.contract.tombstone else "false"

    @property
    def _extra(self) -> str:
        if self.contract.nested:
            return ", _extra"
        if not self.header.extra:
            return ""
        values = ", ".join(f"e{i}" for i in range(len(self.header.extra)))
        return f", MAP([{literals(self.header.extra)}], [{values}]) AS _extra"

    @property
    def _key(self) -> str:
        """NULL where a key column is: `||` yields NULL for NULL. Elements of whole pictures are not looked up by it."""
        if self.contract.nested and self.contract.load_mode is LoadMode.FULL:
            return "NULL::UUID"
        parts = [literal(self.source.region), literal(self.contract.name)]
        parts += [f"CAST({identifier(name)} AS VARCHAR)" for name in self.contract.key]
        return f"CAST(md5({' || chr(31) || '.join(parts)}) AS UUID)"

    def _days(self, years: Sequence[int]) -> str:
        """The local calendar days that the contract has a use for."""
        event, spans = self.contract.event_time, self.contract.spans
        days = {"_event_day": event} if event else {}
        if spans:
            days |= {"_first_day": spans.start, "_last_day": spans.end}
        return _list(f"{self._day(name, years)} AS {day}" for day, name in days.items())

    def _day(self, name: str, years: Sequence[int]) -> str:
        """The local calendar day of a time; one in a gap may have been moved to the next day."""
        value, i, source = identifier(name), self.delivered.get(name), self.source.of_column(name)
        # A text in the zone whose days count has its day in it: asking the zone for it takes twenty times as long.
        if i in self.zoned and source.day_zone and source.day_zone != source.timezone:
            value = f"timezone({literal(source.day_zone)}, {value})"
        elif i in self.zoned:
            local = f"p{i}"
            if source.gap == "forward":
                moved = f"{local} + to_seconds({zones.gap_seconds(local, source, years)})"
                local = f"CASE WHEN {zones.state(f'z{i}')} = {zones.GAP} THEN {moved} ELSE {local} END"
            value = f"CASE WHEN {value} IS NOT NULL THEN {local} END"
        return f"CAST({value} AS DATE)"


def reader(judgement: Judgement, files: Sequence[Path], options: str) -> str:
    """The records of files: all text, named `r<i>` by the contract's column, `e<i>` where unknown, and the `_file`."""
    csv = judgement.source.csv
    unknown = iter(range(len(judgement.header.extra)))
    names = [
        f"r{judgement.delivered[name]}" if name is not None else f"e{next(unknown)}"
        for name in judgement.header.columns
    ]
    fields = ", ".join(f"{name}: 'VARCHAR'" for name in names)
    return (
        f"(SELECT *, file_index AS _file FROM read_csv([{literals(map(str, files))}], "
        f"auto_detect=false, strict_mode=true, new_line='\\n', "
        f"header={str(judgement.header.is_delivered).lower()}, delim={literal(csv.delimiter)}, "
        f"quote={literal(csv.quote)}, escape={literal(csv.quote)}, nullstr=[{_nulls(csv)}], "
        f"columns={{{fields}}}{options}))"
    )


def _nulls(csv: CsvFormat) -> str:
    # Without any, a text that no delivery can hold: records with NUL are malformed.
    return literals(csv.nulls) if csv.nulls else "chr(0)"


def _names(flagged: list[tuple[str, str]]) -> str:
    """The list of the names whose flags are true; made only where one is."""
    if not flagged:
        return "[]::VARCHAR[]"
    chosen = ", ".join(f"CASE WHEN {flag} THEN {name} END" for flag, name in flagged)
    any_flag = " OR ".join(f"({flag})" for flag, _ in flagged)
    return f"CASE WHEN {any_flag} THEN list_filter([{chosen}], lambda x: x IS NOT NULL) ELSE []::VARCHAR[] END"


def _list(expressions: Iterable[str]) -> str:
    """Further expressions of a SELECT list, each after a comma."""
    return "".join(f", {expression}" for expression in expressions)
