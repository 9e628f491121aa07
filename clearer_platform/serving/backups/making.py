"""Making a backup: what the table says now, written aside, read again, and put in place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from clearer_platform import gold
from clearer_platform.errors import BackupError, StorageError, UnknownName
from clearer_platform.platform import Platform
from clearer_platform.serving.backups import avro, schemas, store
from clearer_platform.serving.backups.backup import Backup, GoldState, Manifest
from clearer_platform.serving.backups.schemas import Schema
from clearer_platform.silver.sql import identifier, literal

Clock = Callable[[], datetime]
Layer = Literal["delivered", "gold"]


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def possible(platform: Platform, region: str) -> list[str]:
    """The tables of a region that can be backed up: those that it delivers, then those of its gold."""
    return [*platform.region(region).tables, *_models(platform)]


def is_possible(platform: Platform, region: str, table: str) -> bool:
    """Whether `table` of `region` can be backed up."""
    return table in platform.region(region).tables or table in _models(platform)


def create(platform: Platform, region: str, table: str, *, clock: Clock = now) -> Backup:
    """Back up what `table` of `region` says now.

    Raises UnknownName for a table or region that is not there, BackupError for what cannot be backed up, StorageError.
    """
    layer = layer_of(platform, region, table)
    layout = platform.layout(region)
    with store.scratch(layout) as work:
        written, created_at = work / table, clock()
        with _rows(platform, region, table, layer, work) as (schema, rows, state):
            count = avro.write(rows, schema, written)
        if avro.count(written) != count:
            raise StorageError(
                f"{table} of {region}: what was written cannot be read again", hint="check the disk and run it again"
            )
        size, sha256 = avro.digest(written)
        manifest = Manifest(
            region=region,
            table=table,
            layer=layer,
            created_at=created_at,
            rows=count,
            size=size,
            sha256=sha256,
            schema_fingerprint=schemas.fingerprint_of(schema),
            gold=state,
        )
        return store.put(layout, manifest, written)


def layer_of(platform: Platform, region: str, table: str) -> Layer:
    """Whether `region` delivers `table`, or it is one of its gold. Raises UnknownName or BackupError for neither."""
    if table in platform.region(region).tables:
        return "delivered"
    if table in platform.tables(region):
        parent = platform.delivered(table)
        raise BackupError(
            f"the rows of {table} stand in the records of {parent}, and are backed up with them",
            hint=f"back up {parent}",
        )
    if table in _models(platform):
        return "gold"
    raise UnknownName(f"table of region {region}", table, possible(platform, region))


def model_of(platform: Platform, table: str) -> gold.Model:
    """The model of a table of gold."""
    return _models(platform)[table]


def _models(platform: Platform) -> dict[str, gold.Model]:
    """The tables of a region's gold by name."""
    found = [m for m in gold.models(platform) if m.layer == "gold" and m.materialized != "table_function"]
    return {model.alias: model for model in sorted(found, key=lambda model: model.alias)}


_Found = tuple[Schema, Iterator[pa.RecordBatch], GoldState | None]


@contextmanager
def _rows(platform: Platform, region: str, table: str, layer: Layer, work: Path) -> Iterator[_Found]:
    """What there is to write: the schema, the rows, and of a table of gold what it was built from."""
    if layer == "delivered":
        schema = schemas.of_contract(platform.contract(table))
        with gold.picture(platform, region, table, work) as (connection, query):
            yield schema, _batches(connection, query, schema), None
        return
    model = model_of(platform, table)
    with gold.served(platform, region, model) as (connection, required, state):
        connection.execute(f"set temp_directory = {literal(str(work / 'spill'))}")
        schema = schemas.of_model(model, required)
        yield schema, _batches(connection, f"select * from gold.{identifier(table)}", schema), GoldState.of(state)


def _batches(connection: duckdb.DuckDBPyConnection, query: str, schema: Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a query, in the types that the file is read in again."""
    kinds = schemas.arrow_schema(schema)
    columns = ", ".join(
        f"cast({identifier(field.name)} as varchar) as {identifier(field.name)}"  # a UUID is text in a backup
        if pa.types.is_string(field.type)
        else identifier(field.name)
        for field in kinds
    )
    # In an order of their own, so that the same rows make the same file.
    for batch in connection.execute(f"select {columns} from ({query}) order by all").to_arrow_reader(avro.ROWS):
        yield batch.cast(kinds)
