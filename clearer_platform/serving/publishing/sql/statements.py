"""The statements of a publication, in SQLAlchemy's words: the same in every dialect.

The rows to publish are gathered in a table beside the published one. Rows that are not so any more are deleted and
those that are missing inserted, in one transaction: readers see the end of it.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clearer_platform.serving.publishing.tables import Table

Query = sa.Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class Statements:
    """What is run for one table."""

    table: Table
    there: sa.Table
    staged: sa.Table

    def gather(self) -> sa.Insert:
        """Append rows to those that are gathered."""
        return self.staged.insert()

    def empty(self) -> sa.Delete:
        """Forget what was gathered."""
        return self.staged.delete()

    def gone(self, scope: str) -> sa.Delete:
        """Delete the rows of a part whose keys are not gathered."""
        return self.there.delete().where(*self._of(self.there, scope), ~self._staged(same=False))

    def differing(self, scope: str) -> sa.Delete:
        """Delete the rows of a part whose keys are gathered with other values."""
        ours = self._of(self.there, scope)
        return self.there.delete().where(*ours, self._staged(same=False), ~self._staged(same=True))

    def missing(self, scope: str) -> sa.Insert:
        """Insert the gathered rows of a part whose keys are not there."""
        there = self.there.alias("t")
        is_there = sa.exists().where(*(there.c[name] == self.staged.c[name] for name in self.table.key))
        rows = sa.select(*self._columns(self.staged)).where(*self._of(self.staged, scope), ~is_there)
        return self.there.insert().from_select(list(self.table.names), rows)

    def all_gone(self, scope: str) -> sa.Delete:
        """Delete every row of a part."""
        return self.there.delete().where(*self._of(self.there, scope))

    def all_missing(self, scope: str) -> sa.Insert:
        """Insert every gathered row of a part."""
        rows = sa.select(*self._columns(self.staged)).where(*self._of(self.staged, scope))
        return self.there.insert().from_select(list(self.table.names), rows)

    def counted(self, of: sa.Table, scope: str) -> Query:
        """Rows that are equal in all that they say, and how many of them there are."""
        columns = self._columns(of)
        return sa.select(*columns, sa.func.count()).where(*self._of(of, scope)).group_by(*columns)

    def figures(self, scope: str, *, gathered_alone: bool) -> Query:
        """The number of a part's rows and the sums of its exact numbers; or only of those whose keys are gathered."""
        sums = [sa.func.sum(self._summable(column.name, column.kind)) for column in self.table.exact]
        query: Query = sa.select(sa.func.count(), *sums)
        return self._chosen(query, scope, gathered_alone=gathered_alone)

    def numbers(self, scope: str, *, gathered_alone: bool) -> Query:
        """The exact numbers themselves, for a database that cannot add them up exactly."""
        columns = [self.there.c[column.name] for column in self.table.exact]
        return self._chosen(sa.select(sa.literal_column("1"), *columns), scope, gathered_alone=gathered_alone)

    def _chosen(self, query: Query, scope: str, *, gathered_alone: bool) -> Query:
        query = query.select_from(self.there).where(*self._of(self.there, scope))
        return query.where(self._staged(same=False)) if gathered_alone else query

    def _summable(self, name: str, kind: str) -> ColumnElement[Any]:
        """An integer as a decimal: some databases add integers up to an integer, which may overflow."""
        column = self.there.c[name]
        return column if kind == "decimal" else sa.cast(column, sa.Numeric(31, 0))

    def _of(self, of: sa.Table, scope: str) -> list[ColumnElement[bool]]:
        """Whether a row is of the part that is called `scope`; any is where the table has but one."""
        column = self.table.part_column
        return [of.c[column] == scope] if column else []

    def _staged(self, *, same: bool) -> ColumnElement[bool]:
        """Whether a row's key is gathered, or (`same`) the very row."""
        staged = self.staged
        conditions = [staged.c[name] == self.there.c[name] for name in self.table.key]
        if same:
            conditions += [~staged.c[name].is_distinct_from(self.there.c[name]) for name in self.table.values]
        return sa.exists().where(*conditions)

    def _columns(self, of: sa.Table) -> list[sa.Column[Any]]:
        return [of.c[name] for name in self.table.names]
