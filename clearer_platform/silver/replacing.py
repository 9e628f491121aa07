"""Which published deliveries of a table count: one that restores a backup stands in the place of those before it.

So does what is read of a server afterwards, where its contract can say that rows are deleted.
"""

from collections.abc import Iterable
from datetime import date
from typing import Protocol, TypeVar

from clearer_platform.contracts import LoadMode


class Published(Protocol):
    """What is asked of a published delivery: an outcome has it, and whatever else is made from one."""

    @property
    def day(self) -> date:
        """Its business day."""
        ...

    @property
    def delivery(self) -> str:
        """Its id; ids sort by when they were received."""
        ...

    @property
    def replaces(self) -> bool:
        """Whether it stands in the place of what was received before it."""
        ...


P = TypeVar("P", bound=Published)


def that_count(published: Iterable[P], mode: LoadMode) -> list[P]:
    """Those of the published deliveries of one table of one region whose rows take part in what it says.

    Where every delivery is the whole picture, one that restores gives way to a later one for its own day or one before
    it, beside which it would otherwise stand.
    """
    found = list(published)
    newest = max((one for one in found if one.replaces), key=lambda one: one.delivery, default=None)
    if newest is None:
        return found
    after = [one for one in found if one.delivery > newest.delivery]
    if mode is LoadMode.FULL and any(one.day <= newest.day for one in after):
        return after
    return [newest, *after]
