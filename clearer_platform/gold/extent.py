"""How much of a region's silver a warehouse is made from, and as of which date."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from clearer_platform.gold.inputs import SilverFile


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
        """Those of the silver files that take part."""
        return [
            file
            for file in silver
            if (self.until is None or file.day <= self.until) and (self.tables is None or file.table in self.tables)
        ]


EVERYTHING = Extent()
