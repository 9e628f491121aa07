"""What is remembered of a table on a server, beside its manifests: when all its rows were compared last.

Losing it costs one more comparison and nothing else.
"""

from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ValidationError

from clearer_platform.regions import Layout, SqlSource
from clearer_platform.storage import publish_bytes


class Kept(BaseModel):
    """When something was done last."""

    compared_at: AwareDatetime | None = None


def kept(layout: Layout, table: str) -> Kept:
    """What is remembered of a table."""
    try:
        return Kept.model_validate_json(_file(layout, table).read_bytes())
    except (FileNotFoundError, ValidationError):
        return Kept()


def keep(layout: Layout, table: str, compared_at: datetime) -> None:
    """Remember when all rows were compared."""
    publish_bytes(Kept(compared_at=compared_at).model_dump_json().encode(), _file(layout, table))


def is_comparison_due(source: SqlSource, layout: Layout, table: str, now: datetime) -> bool:
    """Whether all rows are to be compared; a comparison that lies in the future tells of a wrong clock."""
    if source.watermark is None:
        return True
    if not source.compare:
        return False
    last = kept(layout, table).compared_at
    return last is None or not 0 <= (now - last).total_seconds() < source.compare


def folder(layout: Layout) -> Path:
    """Where readings of the region's tables on servers are spooled."""
    return layout.work / "sql"


def _file(layout: Layout, table: str) -> Path:
    return folder(layout) / f"{table}.json"
