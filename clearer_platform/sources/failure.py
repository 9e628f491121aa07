"""What a source could not take in: one day failed, the others go on."""

from dataclasses import dataclass
from datetime import date

from clearer_platform.errors import ClearerError


@dataclass(frozen=True)
class Failure:
    """A table's business day that could not be taken in, and why. What was delivered before stays."""

    region: str
    table: str
    day: date
    error: ClearerError
