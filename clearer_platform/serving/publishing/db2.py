"""DB2's statements for files that are published as CSV: the table, and the ways to load a file.

Compiled by DB2's own dialect of SQLAlchemy (extra `[db2]`), after IBM's documentation; never run against a live DB2.
LOAD cannot leave out a header, so it is given the file without its first line. IMPORT can (SKIPCOUNT), and so can an
external table (SKIPROWS), which alone loads within a transaction of one's own.
"""

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.exc import NoSuchModuleError
from sqlalchemy.schema import CreateTable

from clearer_platform.errors import PublishError
from clearer_platform.regions import FolderTarget
from clearer_platform.serving.publishing.sql.types import table_in
from clearer_platform.serving.publishing.tables import Table
from clearer_platform.silver.sql import literal

HEAD = "-- Generated from the contract of {table}; compiled for Db2 LUW 11.5, not verified against a live one.\n"
SERVER = ("DB2/LINUXX8664", "11.05.0900")
"""What a Db2 LUW 11.5 says of itself."""
DEL = (
    'MODIFIED BY CODEPAGE=1208 DELPRIORITYCHAR KEEPBLANKS DATEFORMAT="YYYY-MM-DD"'
    ' TIMESTAMPFORMAT="YYYY-MM-DD HH:MM:SS.UUUUUU"'
)


def scripts(target: FolderTarget, table: Table, scope: str) -> dict[str, str]:
    """Suffix -> script, for the part of the table that is called `scope`.

    Raises PublishError where DB2's dialect is not installed.
    """
    try:
        dialect: Any = registry.load("db2.ibm_db")()
    except (NoSuchModuleError, ImportError) as e:
        raise PublishError(
            f"targets.{target.name}: DB2's dialect is not installed", hint="pip install 'clearer-platform[db2]'"
        ) from e
    dialect.dbms_name, dialect.dbms_ver = SERVER  # What a connection would tell it: it warns where it does not know.
    made = table_in(table, dialect, target)
    preparer = dialect.identifier_preparer
    name, columns = preparer.format_table(made), ", ".join(preparer.quote(c.name) for c in made.columns)
    types = ", ".join(f"{preparer.quote(c.name)} {c.type.compile(dialect)}" for c in made.columns)
    head, file = HEAD.format(table=table.name), f"{table.name}.csv"
    ours = f" WHERE {preparer.quote(table.part_column)} = {literal(scope)}" if table.part_column else ""
    gone = f"DELETE FROM {name}{ours};\n"
    create = str(CreateTable(made).compile(dialect=dialect)).strip()
    found = {
        ".create.sql": f"{head}{create};\n",
        ".external.sql": (
            f"{head}-- Any SQL client, with automatic commits off: one transaction. {file}: as the client sees it.\n"
            f"{gone}INSERT INTO {name} ({columns})\n  SELECT * FROM EXTERNAL '{file}' ({types})\n"
            "  USING (REMOTESOURCE YES DELIMITER ',' QUOTEDVALUE DOUBLE QUOTEDNULL FALSE"
            f" NULLVALUE {literal(target.null)} SKIPROWS 1\n"
            "         CCSID 1208 CRINSTRING TRUE LFINSTRING TRUE BOOLSTYLE 1_0 MAXERRORS 1);\nCOMMIT;\n"
        ),
    }
    if target.null:
        return found  # IMPORT and LOAD take nothing but an absent value for null.
    return {
        **found,
        ".import.sql": (
            f"{head}-- The command line processor, in the folder of {file}: db2 -stf {table.name}.import.sql\n"
            f"-- Readers see the rows that it replaces gone in between: IMPORT commits by itself.\n"
            f"{gone}IMPORT FROM {file} OF DEL {DEL} SKIPCOUNT 1 INSERT INTO {name} ({columns});\n"
        ),
        ".load.sh": (
            f"#!/bin/sh\n{head.replace('--', '#')}# The fastest, and closed to readers meanwhile. LOAD knows no header:"
            " it gets the file without its first line.\n"
            f'set -e\nrows=$(mktemp)\ntrap \'rm -f "$rows"\' EXIT\ntail -n +2 {file} > "$rows"\n'
            f'db2 "{gone.strip()[:-1]}"\n'
            f'db2 "LOAD CLIENT FROM $rows OF DEL {DEL.replace(chr(34), chr(92) + chr(34))}'
            f' INSERT INTO {name} ({columns}) NONRECOVERABLE"\n'
        ),
    }
