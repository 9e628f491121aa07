"""Publishing to any database that SQLAlchemy has a dialect for, by statements that each of them knows.

`types` says how columns are written in a dialect, `statements` what is run, `publish` runs it, `records` say what is
there. Run against MariaDB and SQLite in tests; for DB2 the statements are compiled by its dialect and looked at, but
were not run against a live one.
"""

from clearer_platform.serving.publishing.sql.publish import publish, recorded

__all__ = ["publish", "recorded"]
