"""One attempt to build a warehouse: a folder of its own, a working copy in it, dbt run on that copy."""

import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from upath import UPath

from clearer_platform.errors import BuildError
from clearer_platform.gold import warehouse
from clearer_platform.gold.dbt import Progress, invoke
from clearer_platform.gold.prepared import Prepared
from clearer_platform.gold.project import described
from clearer_platform.gold.results import TestResult, explained, judged
from clearer_platform.platform import Platform
from clearer_platform.storage import PARTIAL, reported

PREFIX = "build-"


@dataclass(frozen=True)
class Attempt:
    """What an attempt works with."""

    platform: Platform
    prepared: Prepared
    what: str
    """What is being built, for messages."""
    folder: Path
    """Everything of this attempt; gone when it ends."""

    @classmethod
    @contextmanager
    def begin(cls, platform: Platform, prepared: Prepared, what: str, work: Path) -> Iterator["Attempt"]:
        """An attempt in a new folder below `work`. Raises BuildError for what the engine refuses meanwhile."""
        attempt = cls(platform, prepared, what, work / f"{PREFIX}{uuid.uuid4().hex}")
        try:
            with reported("write", attempt.folder):
                attempt.folder.mkdir(parents=True)
            yield attempt
        except duckdb.Error as e:
            is_short = isinstance(e, (duckdb.OutOfMemoryException, duckdb.IOException))
            todo = (
                "free memory or disk space, and run again" if is_short else "it is a fault of the platform: report it"
            )
            raise BuildError(
                f"{what} could not be built ({explained(e, attempt.names)})",
                hint=f"what is served is still the last good version; {todo}",
            ) from None
        finally:
            shutil.rmtree(attempt.folder, ignore_errors=True)

    @property
    def database(self) -> Path:
        """The working copy. Its stem is the database's name, which dbt's manifest has in it."""
        return self.folder / f"{warehouse.NAME}.duckdb"

    @property
    def names(self) -> set[str]:
        """What may be quoted in a message: names of tables, columns and models."""
        contracts = self.platform.contracts
        names = {column.name for contract in contracts.values() for column in contract.columns} | set(contracts)
        for node in self.prepared.manifest["nodes"].values():
            names |= {node["name"], *node.get("columns", {})}
        return names

    @contextmanager
    def connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the working copy, checkpointed and closed afterwards."""
        with warehouse.opened(self.database, self.platform.settings) as connection:
            yield connection

    def run(
        self, arguments: Sequence[str], variables: Mapping[str, object], progress: Progress | None
    ) -> tuple[TestResult, ...]:
        """Run dbt on the working copy; its tests' results. Raises GoldFailed naming what failed."""
        outcome = invoke(
            self.prepared,
            self.platform.settings,
            self.database,
            [*arguments],
            {"contracts": described(self.platform.contracts), **variables},
            target=self.folder / "target",
            progress=progress,
        )
        return judged(self.what, outcome, self.names)


def clear(work: Path, target: UPath | Path) -> None:
    """Remove what killed builds left behind. Only for the holder of the lock over `work` and `target`."""
    for left in work.glob(f"{PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
    if isinstance(target, Path) and target.parent.exists():
        for beside in target.parent.glob(f"{PARTIAL}*-{target.name}*"):
            beside.unlink(missing_ok=True)
