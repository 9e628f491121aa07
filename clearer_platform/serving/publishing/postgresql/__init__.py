"""Publishing to PostgreSQL: every table of a publication in one transaction, which writes only what differs.

`session` opens the transaction and says what went wrong, `shape` makes and migrates tables, `rows` brings their rows
up to date, `publish` puts these together.
"""

from clearer_platform.serving.publishing.postgresql.publish import publish, recorded

__all__ = ["publish", "recorded"]
