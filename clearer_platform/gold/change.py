"""What a build changes in a warehouse: the parts that a changed silver file or as-of date has to do with.

The other parts stay as they are, and nothing of silver is read for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from clearer_platform.gold import inputs, stage, warehouse
from clearer_platform.gold.attempt import Attempt
from clearer_platform.gold.dbt import Progress
from clearer_platform.gold.extent import Extent
from clearer_platform.gold.inputs import SilverFile
from clearer_platform.gold.parts import Part, parts
from clearer_platform.gold.project import Prepared
from clearer_platform.gold.results import TestResult
from clearer_platform.gold.warehouse import State
from clearer_platform.silver.sql import identifier, literal

MODELS = ("build", "--indirect-selection", "cautious", "--exclude", "tag:global", "test_type:unit")
"""Cautious: only what is selected or left out by itself, and tests of nothing else."""


@dataclass(frozen=True)
class Change:
    """A warehouse as it stands, if it does, and as it is to be."""

    regions: Sequence[str]
    silver: list[SilverFile]
    before: State | None
    after: State
    due: tuple[Part, ...]
    """The parts that are built."""

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
        if before:
            changed = {table for (_, table, _, _), _ in before.contents.items() ^ after.contents.items()}
            other = before.as_of != after.as_of
            found = [part for part in found if part.tables & changed or (other and part.as_of)]
        return cls(regions, silver, before, after, tuple(found))

    @property
    def tables(self) -> frozenset[str]:
        """The tables of silver that those parts are made from."""
        return frozenset[str]().union(*(part.tables for part in self.due))

    def make(self, attempt: Attempt, mirror: Path, progress: Progress | None) -> tuple[TestResult, ...]:
        """Bring the working copy of `attempt` to the new state; its tests' results. Raises GoldFailed."""
        self._fill(attempt, mirror)
        arguments = self._arguments(attempt.prepared)
        variables = {
            "clocks": stage.clocks(attempt.platform, self.regions),
            "zones": sorted({attempt.platform.region(region).timezone for region in self.regions}),
            "first_build": self.before is None,
            "as_of": self.after.as_of,
        }
        return attempt.run(arguments, variables, progress) if arguments else ()

    def finish(self, attempt: Attempt) -> tuple[tuple[date, ...], dict[str, int]]:
        """Leave nothing of this build behind in the working copy; the days that it restated, and how many rows are."""
        with attempt.connection() as connection:
            stage.hide_silver(connection)
            return self._restated(connection, attempt.prepared), row_counts(connection, "gold")

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
            stage.add_pseudonyms(connection, platform, contracts, self.regions)
            if naming & {table for (_, table, _, _), _ in held.items() - after.contents.items()}:
                stage.forget_pseudonyms(connection, contracts)

    def _reached(self, snapshot: list[SilverFile]) -> State:
        """The state that the build comes to: silver may have changed since it was listed."""
        built = [file for file in snapshot if file.table in self.tables]
        others = [file for file in self.silver if file.table not in self.tables]
        return State(self.after.version, inputs.contents([*built, *others]), self.after.as_of)

    def _arguments(self, prepared: Prepared) -> list[str]:
        """What dbt is to do; nothing where no model is made from what changed."""
        lasting = frozenset[str]().union(*(part.lasting for part in self.due)) if self.before else ()
        arguments = [*MODELS, *sorted(lasting)]
        if len(self.due) == len(parts(prepared)):
            return arguments
        selected = [name for part in self.due for name in part.selected]
        return [*arguments, "--select", *selected] if selected else []

    def _restated(self, connection: duckdb.DuckDBPyConnection, prepared: Prepared) -> tuple[date, ...]:
        """The days of marts of the grain region and day that were built anew; on a first build, every day there is."""
        there = {
            f"{schema}.{table}"
            for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        }
        sources = _by_day(prepared) if self.before is None else ["intermediate.restated_days"]
        told = " union ".join(f"select day from {source}" for source in sources if source in there)
        days = connection.execute(f"select distinct day from ({told}) order by day").fetchall() if told else []
        for table in there & _bookkeeping(prepared):
            connection.execute(f"delete from {table}")
        return tuple(day for (day,) in days)


def row_counts(connection: duckdb.DuckDBPyConnection, schema: str) -> dict[str, int]:
    """Rows of every table of `schema`."""
    tables = connection.execute(
        "select table_name from duckdb_tables() where schema_name = ? and not temporary order by table_name", [schema]
    ).fetchall()
    counts = " union all ".join(
        f"select {literal(t)}, count(*) from {identifier(schema)}.{identifier(t)}" for (t,) in tables
    )
    return dict(connection.execute(counts).fetchall()) if counts else {}


def _by_day(prepared: Prepared) -> list[str]:
    """The marts of the grain region and day."""
    models = [node for node in prepared.manifest["nodes"].values() if node["schema"] == "gold"]
    return [f"gold.{m['alias']}" for m in models if m["config"].get("meta", {}).get("day_column") == "day"]


def _bookkeeping(prepared: Prepared) -> set[str]:
    """The models that say what one build restated, and matter to no other."""
    models = [node for node in prepared.manifest["nodes"].values() if node["resource_type"] == "model"]
    return {f"{m['schema']}.{m['alias']}" for m in models if m["config"].get("meta", {}).get("bookkeeping")}
