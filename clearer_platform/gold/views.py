"""Where views are kept: a part of a region's gold as of another date, or as the deliveries of earlier days make it.

A view is a warehouse of its own in the region's work folder, made from silver when it is first asked for and brought up
to date whenever it is asked for again. What is served does not change by it, and neither waits for the other. Files are
removed by the holder of the lock `views` alone; whoever has one open keeps it.
"""

import os
from contextlib import suppress
from pathlib import Path

from clearer_platform.gold.extent import Extent
from clearer_platform.regions import Layout

KEPT = 8
"""Views of a region that are kept; the one that was not looked at for longest goes first."""


def place(layout: Layout, extent: Extent) -> Path:
    """The file of the view of this extent: local, and in its region's jurisdiction."""
    part = min(extent.tables or ("everything",))
    return _folder(layout) / f"{part}-as-of-{extent.as_of or 'newest'}-until-{extent.until or 'newest'}.duckdb"


def looked_at(path: Path) -> None:
    """Note that somebody looks at this view."""
    with suppress(FileNotFoundError):
        os.utime(path)


def tidy(layout: Layout) -> None:
    """Remove the views that nobody looked at for long. For the holder of the lock."""
    for old in sorted(_views(layout), key=lambda path: path.stat().st_mtime, reverse=True)[KEPT:]:
        old.unlink()


def drop(layout: Layout) -> None:
    """Remove every view: some of what they were made from has been withdrawn or replaced."""
    if _views(layout):
        with layout.lock("views"):
            for path in _views(layout):
                path.unlink()


def _folder(layout: Layout) -> Path:
    return layout.work / "views"


def _views(layout: Layout) -> list[Path]:
    return list(_folder(layout).glob("[!.]*.duckdb"))
