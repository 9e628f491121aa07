"""What a build changes in a warehouse: the parts that a changed silver file or as-of date has to do with.

The other parts stay as they are, and nothing of silver is read for them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from clearer_platform.gold import inputs, stage, warehouse
from clearer_platform.gold.attempt import Attempt
from clearer_platform.gold.blank import create_tables
from clearer_platform.gold.catalog import models
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import Extent
from clearer_platform.gold.inputs import SilverFile
from clearer_platform.gold.parts import Part, parts, standing
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.results import TestResult
from clearer_platform.gold.warehouse import State
from clearer_platform.silver import check_readable
from clearer_platform.silver.sql import identifier, literal
from clearer_platform.storage import is_there

MODELS = ("build", "--indirect-selection", "cautious", "--exclude", "tag:global", "test_type:unit")
"""Cautious: only what is selected or left out by itself, and tests of nothing else."""
EMPTIED_DAYS = "clearer.held_days"
"""Days for which marts had rows of what is not delivered any more; gone with what else is held of the last build."""
TABLES = ("table", "incremental")
"""How models are materialized that leave a table behind."""


@dataclass(frozen=True)
class Change:
    """A warehouse as it stands, if it does, and as it is to be."""

    regions: Sequence[str]
    silver: list[SilverFile]
    before: State | None
    after: State
    begun: tuple[Part, ...]
    """The parts that are built from the beginning: nothing stands of them yet but empty tables."""
    renewed: tuple[Part, ...]
    """Those that stand, and have to do with what differs."""
    emptied: tuple[Part, ...]
    """Those that nothing is delivered for, in a new warehouse or any more: their tables stand empty, at no cost."""

    @classmethod
    def of(
        cls,
        prepared: Prepared,
        regions: Sequence[str],
        silver: list[SilverFile],
        before: State | None,
        after: State,
        extent: Extent,
    ) -> "Change":
        """All there is to build where nothing stands; else what has to do with what differs."""
        found = [part for part in parts(prepared) if extent.tables in (None, part.tables)]
        had = before.tables if before else frozenset[str]()
        there = [part for part in found if part.tables & after.tables or not part.is_typed]
        return cls(
            regions,
            silver,
            before,
            after,
            begun=tuple(p for p in there if not p.tables & had and (before is None or p.tables & after.tables)),
            renewed=tuple(p for p in there if before and p.tables & had and _differs(p, before, after)),
            emptied=tuple(p for p in found if p not in there and (before is None or p.tables & had)),
        )

    @property
    def tables(self) -> frozenset[str]:
        """The tables of silver that what changes is made from."""
        ended = self.emptied if self.before else ()
        return frozenset[str]().union(*(part.tables for part in (*self.begun, *self.renewed, *ended)))

    def make(self, attempt: Attempt, mirror: Path, progress: Progress | None) -> tuple[TestResult, ...]:
        """Bring the working copy of `attempt` to the new state; its tests' results. Raises GoldFailed."""
        self._fill(attempt, mirror)
        variables = {
            "clocks": stage.clocks(attempt.platform, self.regions),
            "zones": sorted({attempt.platform.region(region).timezone for region in self.regions}),
            "as_of": self.after.as_of,
        }
        found: tuple[TestResult, ...] = ()
        for first, arguments in (True, self._first(attempt.prepared)), (False, self._again()):
            if arguments:
                found += attempt.run(arguments, {**variables, "first_build": first}, progress)
        return found

    def check_silver(self) -> None:
        """Read all that the change is made from. Raises Damaged: of an engine's error, no model is to blame then."""
        for file in self.silver:
            if file.table in self.tables and is_there(file.path):
                check_readable(file.path)

    def finish(self, attempt: Attempt) -> tuple[tuple[date, ...], dict[str, int]]:
        """Leave nothing of this build behind in the working copy; the days that it restated, and how many rows are."""
        with attempt.connection() as connection:
            restated = self._restated(connection, attempt.prepared)
            stage.hide_silver(connection)
            return restated, row_counts(connection, "gold")

    def _fill(self, attempt: Attempt, mirror: Path) -> None:
        """Everything that dbt finds in the working copy: of silver, the tables of the parts that are due.

        Where any of them names people, all that do are looked at: a pseudonym goes when nobody names the person.
        """
        platform = attempt.platform
        naming = stage.naming(platform)
        shown = self.tables | naming if self.tables & naming else self.tables
        contracts = [contract for contract in platform.contracts.values() if contract.name in shown]
        listed = [file for file in self.silver if file.table in shown]
        silver = inputs.snapshot(platform, listed, attempt.folder / "snapshot", mirror)
        after = self._reached(silver)
        held = {key: f for key, f in (self.before.contents if self.before else {}).items() if key[1] in shown}
        with attempt.connection() as connection:
            warehouse.record(connection, after)
            stage.describe_regions(connection, platform, self.regions)
            if self.before is None:
                stage.describe_holidays(connection, platform, self.regions)
            stage.show_silver(connection, contracts, silver, held, attempt.folder / "empty")
            self._clear(connection, attempt)
            stage.add_pseudonyms(connection, platform, contracts, self.regions)
            if naming & {table for (_, table, _, _), _ in held.items() - after.contents.items()}:
                stage.forget_pseudonyms(connection, contracts)

    def _reached(self, snapshot: list[SilverFile]) -> State:
        """The state that the build comes to: silver may have changed since it was listed."""
        built = [file for file in snapshot if file.table in self.tables]
        others = [file for file in self.silver if file.table not in self.tables]
        return State(self.after.version, inputs.contents([*built, *others]), self.after.as_of)

    def _clear(self, connection: duckdb.DuckDBPyConnection, attempt: Attempt) -> None:
        """Leave nothing for what is built from the beginning to add to, and empty tables of what is not delivered."""
        if self.before:
            if marts := _by_day(attempt.prepared, self.emptied):
                days = " union ".join(f"select day from {mart}" for mart in marts)
                connection.execute(f"create table {EMPTIED_DAYS} as {days}")
            for node in _models(attempt.prepared, (*self.begun, *self.emptied)):
                if node["config"]["materialized"] in TABLES:
                    connection.execute(f"drop table if exists {identifier(node['schema'])}.{identifier(node['alias'])}")
        undelivered = {part.tables for part in self.emptied}
        create_tables(connection, [model for model in models(attempt.platform) if model.part in undelivered])

    def _first(self, prepared: Prepared) -> list[str]:
        """What dbt is to do for what is built from the beginning; nothing where that is nothing."""
        if self.before:
            return _selecting(self.begun)
        if len(self.begun) == len(parts(prepared)):
            return [*MODELS]
        selected = [name for part in self.begun for name in part.selected]
        is_whole = len(self.begun) + len(self.emptied) == len(parts(prepared))
        return [*MODELS, "--select", *selected, *(standing(prepared) if is_whole else ())]

    def _again(self) -> list[str]:
        """What dbt is to do for what stands; nothing where no model is made from what changed."""
        return _selecting(self.renewed)

    def _restated(self, connection: duckdb.DuckDBPyConnection, prepared: Prepared) -> tuple[date, ...]:
        """The days of marts of the grain region and day that were built anew; of what is new, every day there is."""
        there = {
            f"{schema}.{table}"
            for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        }
        earlier = ["intermediate.restated_days", EMPTIED_DAYS] if self.before else []
        sources = [*_by_day(prepared, self.begun), *earlier]
        told = " union ".join(f"select day from {source}" for source in sources if source in there)
        days = connection.execute(f"select distinct day from ({told}) order by day").fetchall() if told else []
        for table in there & _bookkeeping(prepared):
            connection.execute(f"delete from {table}")
        return tuple(day for (day,) in days)


def _differs(part: Part, before: State, after: State) -> bool:
    changed = {table for (_, table, _, _), _ in before.contents.items() ^ after.contents.items()}
    return bool(part.tables & changed) or (part.as_of and before.as_of != after.as_of)


def _selecting(due: Iterable[Part]) -> list[str]:
    """What dbt is to do for these parts in a warehouse that stands; nothing where no model is made from them."""
    lasting = frozenset[str]().union(*(part.lasting for part in due))
    selected = [name for part in due for name in part.selected]
    return [*MODELS, *sorted(lasting), "--select", *selected] if selected else []


def row_counts(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    """Rows of every table of `schema`."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = ? and not temporary order by table_name", [schema]
    ).fetchall()
    counts = " union all ".join(
        f"select {literal(t)}, count(*) from {identifier(schema)}.{identifier(t)}" for (t,) in tables
    )
    return dict(connection.execute(counts).fetchall()) if counts else {}


def _models(prepared: Prepared, of: Iterable[Part] | None = None) -> list[dict[str, Any]]:
    """dbt's nodes of all models, or of those of these parts."""
    models = [node for node in prepared.manifest["nodes"].values() if node["resource_type"] == "model"]
    ids = None if of is None else frozenset[str]().union(*(part.nodes for part in of))
    return [node for node in models if ids is None or node["unique_id"] in ids]


def _by_day(prepared: Prepared, of: Iterable[Part]) -> list[str]:
    """The marts of these parts that have the grain region and day."""
    marts = [node for node in _models(prepared, of) if node["schema"] == "gold"]
    return [f"gold.{mart['alias']}" for mart in marts if mart["config"].get("meta", {}).get("day_column") == "day"]


def _bookkeeping(prepared: Prepared) -> set[str]:
    """The models that say what one build restated, and matter to no other."""
    return {f"{m['schema']}.{m['alias']}" for m in _models(prepared) if m["config"].get("meta", {}).get("bookkeeping")}
