"""Publishing gold to other databases, to lakehouses and to bulk loaders, as the registry's targets say.

A database is published to in one transaction: all tables, or none. Publishing twice changes nothing; what a target
holds is compared with gold. Only what a region lets leave is published: its own rows of a table, as a part of it, and
whole tables that are built across regions.

publish.publish       one target; `publication` says what is published and what came of it
tables, reading       the tables as they are published, and gold as they are read from
postgresql, sql       databases: PostgreSQL by bulk copy, any other by SQLAlchemy's dialect
csv_files, db2, delta files for bulk loaders with DB2's scripts beside them, and Delta tables
"""

from clearer_platform.serving.publishing.publication import Published, Result, possible, wanted
from clearer_platform.serving.publishing.publish import publish
from clearer_platform.serving.publishing.tables import Table

__all__ = ["Published", "Result", "Table", "possible", "publish", "wanted"]
