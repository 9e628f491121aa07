"""Running dbt in this process. The only module that imports dbt, and only when it runs: the import takes seconds."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clearer_platform.gold.prepared import DamagedProject, Prepared
from clearer_platform.settings import Settings

Progress = Callable[[int, int], None]

_ONE_AT_A_TIME = threading.Lock()
"""dbt keeps its flags and adapters in globals of the process, and its profile is read from the environment."""
_ahead: dict[str, Any] = {}
"""Manifests that were read before they were needed, by the project's version."""
THREADS = 1
"""dbt itself is one thread: the engine uses every core within a query, and two at once cost a third more time."""
QUIET = ("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-print", "--no-use-colors")


def read_ahead(prepared: Prepared) -> None:
    """Import dbt, and keep the project's manifest for the next `invoke` of this process, or of one forked from it."""
    import dbt.adapters.duckdb.connections
    import dbt.cli.main  # noqa: F401

    _ahead[prepared.version] = _read(prepared)


def invoke(
    prepared: Prepared,
    settings: Settings,
    database: Path,
    arguments: list[str],
    variables: dict[str, object],
    *,
    target: Path,
    is_parsed: bool = True,
    progress: Progress | None = None,
) -> Any:
    """Run dbt's `arguments` on the DuckDB file `database`; dbt's own result. Nothing stays open or is logged.

    Raises DamagedProject where the prepared project cannot be read.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", prepared.folder, "--profiles-dir", prepared.folder]
    folders += ["--target-path", target, "--log-path", target / "logs"]
    options = [*map(str, folders), "--vars", json.dumps(variables, default=str), *QUIET]
    # dbt's static parser keeps threads, which a fork of this process would wait for in vain; a forked run may parse.
    options += ["--no-static-parser"] if arguments[0] == "parse" else ["--no-write-json", "--no-partial-parse"]
    with _ONE_AT_A_TIME, _profile(settings, database):
        # A run changes its manifest: each needs one of its own.
        manifest = _ahead.pop(prepared.version, None) or _read(prepared) if is_parsed else None
        try:
            result = dbtRunner(manifest=manifest, callbacks=[_reporter(progress)]).invoke([*arguments, *options])
            if isinstance(result.exception, KeyboardInterrupt):
                raise result.exception  # dbt takes it for an error of its own
            return result
        finally:
            # dbt-duckdb keeps the file open, and so locked, after a run.
            close: Callable[[], None] = DuckDBConnectionManager.close_all_connections
            close()


def _read(prepared: Prepared) -> Any:
    from dbt.contracts.graph.manifest import Manifest

    try:
        return Manifest.from_msgpack(prepared.parsed.read_bytes())
    except (FileNotFoundError, ValueError, LookupError, TypeError):  # msgpack's own, and mashumaro's of what it holds
        raise DamagedProject(prepared) from None


@contextmanager
def _profile(settings: Settings, database: Path) -> Iterator[None]:
    """What profiles.yml reads from the environment, for as long as dbt runs."""
    values = {
        "CLEARER_DBT_DATABASE": str(database),
        "CLEARER_DBT_THREADS": str(THREADS),
        "CLEARER_DBT_MEMORY_LIMIT": settings.memory_limit,
        "CLEARER_DBT_CORES": str(settings.threads or os.cpu_count() or 1),
    }
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _reporter(progress: Progress | None) -> Callable[[Any], None]:
    """Tells `progress` which of how many of dbt's models and tests begins."""

    def report(event: Any) -> None:
        if progress and event.info.name == "LogStartLine":
            progress(event.data.index, event.data.total)

    return report
