"""What an alert is. It names region, table, day, file, line, column and rule; never a value of a person's."""

import hashlib
from datetime import UTC, date, datetime
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What has happened."""

    RUN_FAILED = "run_failed"
    DELIVERY_REFUSED = "delivery_refused"
    FILE_SET_ASIDE = "file_set_aside"
    DELIVERY_LATE = "delivery_late"


class Alert(BaseModel):
    """Something that somebody has to know."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    cause: str
    """What tells this cause from every other of its kind: a run, a delivery, a file. It is told of once."""
    title: str
    text: str = ""
    region: str | None = None
    table: str | None = None
    day: date | None = None
    link: str | None = None
    at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> str:
        """The same for the same cause, whenever it is noticed."""
        return hashlib.sha256(f"{self.kind}\n{self.cause}".encode()).hexdigest()[:32]
