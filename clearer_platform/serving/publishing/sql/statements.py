"""The statements of a publication, in SQLAlchemy's words: the same in every dialect.

The rows to publish are gathered in a table beside the published one. Rows that are not so any more are deleted and
those that are missing inserted, in one transaction: readers see the end of it.
"""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from clearer_platform.serving.publishing.tables import REGION, Table

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

    def gone(self, region: str) -> sa.Delete:
        """Delete the rows of a region whose keys are not gathered."""
        return self.there.delete().where(self._of(region), ~self._staged(same=False))

    def differing(self, region: str) -> sa.Delete:
        """Delete the rows of a region whose keys are gathered with other values."""
        return self.there.delete().where(self._of(region), self._staged(same=False), ~self._staged(same=True))

    def missing(self, region: str) -> sa.Insert:
        """Insert the gathered rows of a region whose keys are not there."""
        there = self.there.alias("t")
        is_there = sa.exists().where(*(there.c[name] == self.staged.c[name] for name in self.table.key))
        rows = sa.select(*self._columns(self.staged)).where(self.staged.c[REGION] == region, ~is_there)
        return self.there.insert().from_select(list(self.table.names), rows)

    def all_gone(self, region: str) -> sa.Delete:
        """Delete every row of a region."""
        return self.there.delete().where(self._of(region))

    def all_missing(self, region: str) -> sa.Insert:
        """Insert every gathered row of a region."""
        rows = sa.select(*self._columns(self.staged)).where(self.staged.c[REGION] == region)
        return self.there.insert().from_select(list(self.table.names), rows)

    def counted(self, of: sa.Table, region: str) -> Query:
        """Rows that are equal in all that they say, and how many of them there are."""
        columns = self._columns(of)
        return sa.select(*columns, sa.func.count()).where(of.c[REGION] == region).group_by(*columns)

    def figures(self, region: str, *, gathered_alone: bool) -> Query:
        """The number of a region's rows and the sums of its exact numbers; or only of those whose keys are gathered."""
        sums = [sa.func.sum(self._summable(column.name, column.kind)) for column in self.table.exact]
        query: Query = sa.select(sa.func.count(), *sums)
        return self._chosen(query, region, gathered_alone=gathered_alone)

    def numbers(self, region: str, *, gathered_alone: bool) -> Query:
        """The exact numbers themselves, for a database that cannot add them up exactly."""
        columns = [self.there.c[column.name] for column in self.table.exact]
        return self._chosen(sa.select(self.there.c[REGION], *columns), region, gathered_alone=gathered_alone)

    def _chosen(self, query: Query, region: str, *, gathered_alone: bool) -> Query:
        query = query.select_from(self.there).where(self._of(region))
        return query.where(self._staged(same=False)) if gathered_alone else query

    def _summable(self, name: str, kind: str) -> ColumnElement[Any]:
        """An integer as a decimal: some databases add integers up to an integer, which may overflow."""
        column = self.there.c[name]
        return column if kind == "decimal" else sa.cast(column, sa.Numeric(31, 0))

    def _of(self, region: str) -> ColumnElement[bool]:
        return self.there.c[REGION] == region

    def _staged(self, *, same: bool) -> ColumnElement[bool]:
        """Whether a row's key is gathered, or (`same`) the very row."""
        staged = self.staged
        conditions = [staged.c[name] == self.there.c[name] for name in self.table.key]
        if same:
            conditions += [~staged.c[name].is_distinct_from(self.there.c[name]) for name in self.table.values]
        return sa.exists().where(*conditions)

    def _columns(self, of: sa.Table) -> list[sa.Column[Any]]:
        return [of.c[name] for name in self.table.names]
