"""One table of a region's gold, taken from what is served, and put back into it as a whole."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import duckdb
import pyarrow as pa

from clearer_platform.errors import StorageError
from clearer_platform.gold import motherduck, warehouse
from clearer_platform.gold.attempt import Attempt, clear
from clearer_platform.gold.catalog import Model
from clearer_platform.gold.project import prepare
from clearer_platform.gold.warehouse import State
from clearer_platform.platform import Platform
from clearer_platform.silver.sql import identifier
from clearer_platform.storage import publish_file, reported


@contextmanager
def served(
    platform: Platform, region: str, model: Model
) -> Iterator[tuple[duckdb.DuckDBPyConnection, frozenset[str], State]]:
    """A connection to what is served, the columns of `model` that are never null, and what it was all built from.

    Raises StorageError where nothing of the model is served.
    """
    with closing(warehouse.read(platform.layout(region))) as connection:
        columns = connection.execute(
            "select column_name, is_nullable from duckdb_columns()"
            " where database_name = current_database() and schema_name = 'gold' and table_name = ?",
            [model.alias],
        ).fetchall()
        if not columns:
            raise StorageError(f"{region}: {model.alias} has not been built yet", hint="run `clearer materialize`")
        yield connection, frozenset(n for n, nullable in columns if not nullable), warehouse.state_of(connection)


def put_back(
    platform: Platform, region: str, model: Model, rows: pa.RecordBatchReader, check: Callable[[State | None], None]
) -> None:
    """Replace the rows of one table of what is served, in one step. `check` raises where the warehouse does not fit.

    Nothing else of it changes. Raises StorageError where nothing is served, and BuildError for what the engine refuses,
    with what is served as it was.
    """
    layout = platform.layout(region)
    work, table = layout.work / "gold", f"gold.{identifier(model.alias)}"
    with layout.lock("gold"):
        clear(work, layout.warehouse)
        current = warehouse.serving_copy(layout)
        if current is None:
            raise StorageError(f"{region} has no gold yet", hint="run `clearer materialize` first")
        check(warehouse.state(current))
        with Attempt.begin(platform, prepare(platform), f"{model.alias} of {region}", work) as attempt:
            with reported("write", attempt.database):
                shutil.copyfile(current, attempt.database)
            with attempt.connection() as connection:
                connection.register("given", rows)
                connection.execute(f"delete from {table}")
                connection.execute(f"insert into {table} by name select * from given")
                connection.unregister("given")
            publish_file(attempt.database, layout.warehouse)
        if platform.settings.warehouse == "motherduck":
            motherduck.publish(platform, region)
