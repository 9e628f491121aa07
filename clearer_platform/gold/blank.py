"""Tables that stand empty, as their models describe them: what nobody has delivered for can be read all the same."""

from collections.abc import Iterable

import duckdb

from clearer_platform.gold.catalog import Model
from clearer_platform.silver.sql import identifier


def create_tables(connection: duckdb.DuckDBPyConnection, wanted: Iterable[Model]) -> None:
    """Empty tables of these models, where there are none yet; of a table macro, one that gives no rows."""
    connection.execute("create schema if not exists gold")
    for model in wanted:
        name = f"gold.{identifier(model.alias)}"
        if model.parameters:
            columns = ", ".join(f"null::{dtype} as {identifier(column)}" for column, dtype, _ in model.columns)
            parameters = ", ".join(map(identifier, model.parameters))
            connection.execute(f"create or replace macro {name}({parameters}) as table select {columns} where false")
        else:
            columns = ", ".join(f"{identifier(column)} {dtype}" for column, dtype, _ in model.columns)
            connection.execute(f"create table if not exists {name} ({columns})")
