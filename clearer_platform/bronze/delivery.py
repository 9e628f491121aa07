"""What a delivery is, and the manifest that says so."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict
from upath import UPath

from clearer_platform.bronze.extract import Extract
from clearer_platform.bronze.series import Series

STAMP = "%Y%m%dT%H%M%S.%fZ"


class Manifest(BaseModel):
    """What is recorded of a delivery beside its bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    table: str
    day: date
    """Business day in the region's zone."""
    slot: str
    file_name: str
    origin: str
    """Where it came from: a path or URL, or what else the source calls it."""
    origin_version: str | None = None
    """What tells one state of the origin from another without reading it (size and time, or an etag)."""
    received_at: AwareDatetime
    size: int
    """Bytes."""
    sha256: str
    record_count: int | None = None
    """Number of records that the sender stated."""
    series: Series | None = None
    """The batches that it was sealed from, where it was."""
    extract: Extract | None = None
    """What was read of a database server, where it was."""
    restores: str | None = None
    """The backup whose rows it brings back, if it does: they are in the platform's own form, whatever the region's is,
    and stand in the place of all that the region delivered for the table before."""

    @property
    def replaces(self) -> bool:
        """Whether it stands in the place of all that the region delivered for the table before."""
        return self.restores is not None or (self.extract is not None and self.extract.anew)


@dataclass(frozen=True)
class Delivery:
    """Bytes that a region handed over for a table, a business day and a slot."""

    manifest: Manifest
    content: UPath | Path
    """Where the bytes are."""

    @property
    def id(self) -> str:
        """Unique within its slot; ids sort by received_at."""
        return delivery_id(self.manifest.received_at, self.manifest.sha256)

    @property
    def region(self) -> str:
        """The region that delivered."""
        return self.manifest.region

    @property
    def table(self) -> str:
        """The table that it is for."""
        return self.manifest.table

    @property
    def day(self) -> date:
        """The business day that it is for."""
        return self.manifest.day

    @property
    def slot(self) -> str:
        """The slot: other bytes for the same slot replace it, another slot of the day adds to it."""
        return self.manifest.slot

    def __str__(self) -> str:
        return f"{self.table} {self.region} {self.day} {self.slot}"


def delivery_id(received_at: datetime, sha256: str) -> str:
    """The id of the delivery with this hash received at this instant."""
    return f"{received_at.astimezone(UTC).strftime(STAMP)}-{sha256[:16]}"
