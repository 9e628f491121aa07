"""What validating a delivery came to, as data: written into the silver file, into refusals, and shown to people."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

VALIDATION_VERSION = "3"
"""Raised whenever this package judges or types a row differently: every silver file is then due again."""

REJECTED_SHARE = "delivery.rejected_share"
"""The rule that a delivery breaks of which too much is rejected."""
FIRST = 5
"""Lines that are named per rule; the rest are counted."""


class Problem(BaseModel):
    """Something wrong with a delivery: which rule, where, and what to do. Never the value."""

    model_config = ConfigDict(frozen=True)

    rule: str
    message: str
    line: int | None = None
    position: int | None = None
    """Of an element, within the array that stands on the line."""
    column: str | None = None
    count: int = 1

    @property
    def place(self) -> str:
        """Where it is, in words; empty where it is about the whole delivery."""
        if self.line is None:
            return ""
        return f"line {self.line}" + (f", element {self.position}" if self.position else "")


class Outcome(BaseModel):
    """The verdict on one delivery: a pure function of it, its contract, its registry entry and the code."""

    model_config = ConfigDict(frozen=True)

    region: str
    table: str
    day: date
    slot: str
    delivery: str
    fingerprint: str
    status: Literal["published", "refused"]
    delivered: int = 0
    """Records, counted independently of the reader; 0 where they could not be counted."""
    accepted: int = 0
    rejected: int = 0
    rules: dict[str, int] = {}
    warnings: dict[str, int] = {}
    problems: list[Problem] = []
    """Whole-file problems, then the first lines of every broken rule."""
    extra_columns: list[str] = []
    bytes: int = 0
    """Size of the delivery as it arrived."""
    judged: bool = False
    """Whether every record was judged; False where the delivery was refused before."""
    replaces: bool = False
    """Whether its rows stand in the place of all that was received before it."""


class Refusal(Exception):
    """A delivery that cannot be judged at all. Caught where outcomes are made; it never leaves this package."""

    def __init__(self, rule: str, message: str, *, line: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(rule=f"delivery.{rule}", message=message, line=line, column=column)
