"""An extract: what one reading of a table on a database server brought, and what the next one has to know of it.

The content of such a delivery is CSV in UTF-8 under a header of the server's own column names: text always in quotes,
what means no value never, times in ISO form with microseconds. A carriage return is part of its value.
"""

from pydantic import AwareDatetime, BaseModel, ConfigDict


class Found(BaseModel):
    """What a comparison of all rows with what had been delivered found, beside what stayed as it was."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inserted: int
    updated: int
    deleted: int


class Extract(BaseModel):
    """What was read, of which the delivery is the whole or a part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: tuple[str, ...]
    """The server's columns, in their order."""
    longest: int
    """Bytes of the longest row."""
    read_at: AwareDatetime
    """The instant of the server's snapshot, by the server's clock where it tells it."""
    null: str
    """The text, never in quotes, that means 'no value'."""
    utc: tuple[str, ...] = ()
    """The server's columns whose times are instants, written in UTC."""
    watermark: str | None = None
    """The column by which it was read."""
    lower: str | None = None
    """The watermark from which on rows were read; None: from the first."""
    upper: str | None = None
    """The highest watermark that is known to be delivered with it."""
    found: Found | None = None
    """Of a comparison."""
    are_deleted: bool = False
    """Whether its rows are those that the server has no more, as they were last, marked as deleted."""
    anew: bool = False
    """Whether it is all rows, read after a backup was restored: they stand in the place of what that brought back."""

    @property
    def is_part(self) -> bool:
        """Whether it is what changed since an earlier reading, and not the rows as they stand."""
        return self.lower is not None or self.found is not None
