"""How much of a region's silver a warehouse is made from, and as of which date."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from clearer_platform.errors import BuildError
from clearer_platform.gold.inputs import SilverFile

FARTHEST = timedelta(days=3653)
"""How far an as-of date may lie after the newest delivery: what goes on has a row for every day until then."""


@dataclass(frozen=True)
class Extent:
    """What is asked for; by default everything, as what is served has it."""

    as_of: date | None = None
    """The date as of which things stand, where that matters; None: the newest delivery's business day."""
    until: date | None = None
    """The last business day whose deliveries count; None: every day counts."""
    tables: frozenset[str] | None = None
    """The tables of silver behind the one part of gold that is made; None: every part."""

    @property
    def is_view(self) -> bool:
        """Whether it is less than what is served."""
        return self.until is not None or self.tables is not None

    def of(self, silver: Iterable[SilverFile]) -> list[SilverFile]:
        """Those of the silver files that take part. Raises BuildError for an as-of date far after all of them."""
        found = [
            file
            for file in silver
            if (self.until is None or file.day <= self.until) and (self.tables is None or file.table in self.tables)
        ]
        if self.as_of and found and self.as_of - (newest := max(file.day for file in found)) > FARTHEST:
            raise BuildError(
                f"as of {self.as_of}: that is more than ten years after the newest delivery, of {newest}",
                hint=f"choose a day up to {newest + FARTHEST}",
            )
        return found


EVERYTHING = Extent()
