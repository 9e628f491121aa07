"""Publishing as Delta tables, one a table of gold, partitioned by region; a commit replaces a region's rows.

A table that is built across regions has no partitions; a commit replaces all of it. A commit says in its metadata
(`clearer`) which content of which region (or of `global`) the table holds; without news there is none.
What the client of a bucket needs stands in the target's `options`, as delta-rs names them (`endpoint_url`, which may be
http, `region`, ...), or in the environment.
"""

import json
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clearer_platform.errors import ClearerError, PublishError
from clearer_platform.platform import Platform
from clearer_platform.regions import FolderTarget
from clearer_platform.serving.publishing.csv_files import root
from clearer_platform.serving.publishing.publication import Advance, Part, Published, check, possible
from clearer_platform.serving.publishing.reading import Figures, figures_of
from clearer_platform.serving.publishing.tables import Column
from clearer_platform.silver.sql import literal

if TYPE_CHECKING:
    from deltalake import DeltaTable

SAID = "clearer"
"""The entry of a commit's metadata: region or `global` -> fingerprint, as JSON."""


def recorded(platform: Platform, target: FolderTarget) -> dict[tuple[str, str], str]:
    """Record -> fingerprint of what is there."""
    found: dict[tuple[str, str], str] = {}
    for name in possible(platform, target):
        table = _table(platform, target, name)
        found |= {(name, scope): fingerprint for scope, fingerprint in _said(table).items()}
    return found


def publish(
    platform: Platform, target: FolderTarget, parts: Sequence[Part], *, force: bool, advance: Advance
) -> list[Published]:
    """Publish `parts`, a commit each; what is recorded under the same fingerprint is left as it is."""
    done: list[Published] = []
    with platform.global_layout.lock(f"publishing-{target.name}"):
        for part in parts:
            advance(target.name, part.table.name, len(done), len(parts))
            try:
                done.append(_publish(platform, target, part, force=force))
            except ClearerError:
                raise
            except Exception as e:  # deltalake has errors of its own, of the engine's, of the store's and of Arrow's.
                raise PublishError(
                    f"targets.{target.name}: {part.table.name} was not published: {_said_of(e)}",
                    hint="check the root and its store, and run it again; what was published before stays",
                ) from e
    return done


def _publish(platform: Platform, target: FolderTarget, part: Part, *, force: bool) -> Published:
    from deltalake import CommitProperties, write_deltalake

    started = time.perf_counter()
    table, scope, column = _table(platform, target, part.table.name), part.gold.scope, part.table.part_column
    said = _said(table)
    if not force and said.get(scope) == part.fingerprint:
        return Published(target.name, *part.name, part.figures.rows, is_new=False)
    schema = pa.schema([_field(column) for column in part.table.columns])
    rows = pa.RecordBatchReader.from_batches(schema, (_cast(b, schema) for b in part.gold.batches(part.table)))
    facts: dict[str, Any] = {"storage_options": _options(target), "description": part.table.description}
    before = 0 if table is None else _rows(table, part).rows
    write_deltalake(
        _uri(platform, target, part.table.name),
        rows,
        mode="overwrite",
        partition_by=[column] if column else None,
        predicate=f"{column} = {literal(scope)}" if column and table is not None else None,
        schema_mode=None if table is None or _is_same(table, schema) else "merge",
        commit_properties=CommitProperties(custom_metadata={SAID: json.dumps({**said, scope: part.fingerprint})}),
        **(facts if table is None else {"storage_options": facts["storage_options"]}),
    )
    after = _table(platform, target, part.table.name)
    assert after is not None
    found = _rows(after, part)
    if found != part.figures:
        if table is not None:
            after.restore(table.version())
        check(target, part, found)
    seconds = time.perf_counter() - started
    return Published(
        target.name, *part.name, found.rows, added=found.rows, removed=before, seconds=seconds, figures=found
    )


def _table(platform: Platform, target: FolderTarget, name: str) -> "DeltaTable | None":
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import TableNotFoundError
    except ImportError as e:
        raise PublishError(
            f"targets.{target.name}: Delta's library is not installed", hint="pip install 'clearer-platform[delta]'"
        ) from e
    with suppress(TableNotFoundError):
        return DeltaTable(_uri(platform, target, name), storage_options=_options(target))
    return None


def _said(table: "DeltaTable | None") -> dict[str, str]:
    """What the newest commit of ours says; whoever only compacts or vacuums the table says nothing."""
    for commit in table.history() if table else ():
        if SAID in commit:
            return dict(json.loads(commit[SAID]))
    return {}


def _said_of(error: Exception) -> str:
    """What went wrong on one line; delta-rs says it from the general to the particular, in lines with arrows."""
    lines = (re.sub(r"\x1b\[\d*m|↳", "", line).strip() for line in str(error).splitlines())
    return ": ".join(line for line in lines if line)[:500] or type(error).__name__


def _rows(table: "DeltaTable", part: Part) -> Figures:
    """The figures of a part's rows, read back."""
    import duckdb

    names, scope, column = [column.name for column in part.table.exact], part.gold.scope, part.table.part_column
    there = {field.name for field in table.schema().fields}
    dataset = table.to_pyarrow_dataset(partitions=[(column, "=", scope)] if column else None)
    sums = "".join(f', sum("{name}")' if name in there else ", 0" for name in names)
    with duckdb.connect() as connection:
        connection.register("published", dataset)
        ours = f" WHERE {column} = {literal(scope)}" if column else ""
        rows, *found = connection.execute(f"SELECT count(*){sums} FROM published{ours}").fetchall()[0]
    return figures_of(part.table, rows, found)


def _is_same(table: "DeltaTable", schema: pa.Schema) -> bool:
    return {field.name for field in table.schema().fields} == set(schema.names)


def _field(column: Column) -> pa.Field:
    types: dict[str, pa.DataType] = {
        "text": pa.string(),
        "json": pa.string(),
        "uuid": pa.string(),
        "smallint": pa.int16(),
        "integer": pa.int32(),
        "bigint": pa.int64(),
        "real": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.date32(),
        "time": pa.string(),
        "timestamp": pa.timestamp("us"),
        "instant": pa.timestamp("us", "UTC"),
    }
    kind = pa.decimal128(column.precision, column.scale) if column.kind == "decimal" else types[column.kind]
    return pa.field(column.name, kind, nullable=True, metadata={"comment": column.description})


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([batch.column(f.name).cast(f.type) for f in schema], schema=schema)


def _uri(platform: Platform, target: FolderTarget, name: str) -> str:
    return f"{root(platform, target) / name}"


def _options(target: FolderTarget) -> dict[str, str]:
    """What the store is told. It refuses http unless that is allowed: whoever writes such an address allows it."""
    given = {name: f"{value}" for name, value in target.options.items()}
    return {"allow_http": "true", **given} if given.get("endpoint_url", "").startswith("http://") else given
