"""What the tests of silver share: small contracts, and delivering bytes and looking at the rows that come of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Optional

import ibis.expr.datatypes as dt
import pandera.ibis as pa
import pyarrow.parquet as pq

from clearer_platform import silver
from clearer_platform.bronze import receive
from clearer_platform.contracts import Contract, LoadMode
from clearer_platform.platform import Platform
from clearer_platform.regions import Registry
from clearer_platform.settings import Settings

DAY = date(2024, 3, 31)
NOON = datetime(2024, 3, 31, 12, tzinfo=UTC)


class Things(pa.DataFrameModel):
    """One column of every type."""

    id: str = pa.Field(str_matches=r"^[a-z0-9]+$", description="Key.")
    at: dt.Timestamp(timezone="UTC") = pa.Field(nullable=True, description="An instant.")  # type: ignore[valid-type]
    amount: dt.Decimal(9, 2) = pa.Field(nullable=True, ge=0, description="An amount.")  # type: ignore[valid-type]
    born: dt.Date = pa.Field(nullable=True, ge=date(1900, 1, 1), description="A date.")
    note: str = pa.Field(nullable=True, description="Any text.")
    count: Optional[dt.int64] = pa.Field(nullable=True, ge=1, description="A number.", metadata={"default": "1"})
    is_open: Optional[bool] = pa.Field(nullable=True, description="A flag.")


class Texts(pa.DataFrameModel):
    """Three texts, about which nothing can be wrong but the file."""

    a: str = pa.Field(description="A text.")
    b: str = pa.Field(nullable=True, description="A text.")
    c: str = pa.Field(nullable=True, description="A text.")


class Marked(pa.DataFrameModel):
    """A table with tombstones."""

    id: str = pa.Field(str_matches=r"^[a-z]+$", description="d")
    version: str = pa.Field(nullable=True, description="d")
    name: str = pa.Field(isin=["x", "y"], description="d")
    day: dt.Date = pa.Field(nullable=True, ge=date(2000, 1, 1), description="d")
    gone: Optional[bool] = pa.Field(nullable=True, description="d", metadata={"default": "false"})

    @pa.dataframe_check(name="named_so")
    @classmethod
    def named_so(cls, data: Any) -> Any:
        """Never."""
        return data.table.name == "x"


THINGS = Contract(name="things", domain="test", model=Things, key=("id",), event_time="at", max_rejected=1.0)
FACTS = Contract(
    name="facts", domain="test", model=Things, key=("id",), event_time="at", load_mode=LoadMode.APPEND, max_rejected=1.0
)
TEXTS = Contract(name="texts", domain="test", model=Texts, key=("a",), max_rejected=1.0)
HEAD = "id,at,amount,born,note\n"
GOOD = HEAD + "a,,1.00,,\nb,,2.00,,\n"
BETTER = HEAD + "a,,1.50,,\nb,,2.50,,\nc,,3.50,,\n"
BROKEN = HEAD + "a,,x,,\nb,,y,,\nc,,3.50,,\n"
STRICT = replace(THINGS, max_rejected=0.5)


@dataclass(frozen=True)
class Judged:
    """What came of one delivery."""

    outcome: silver.Outcome
    rows: list[dict[str, Any]]
    """By line; of a refused delivery those that were judged."""

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The rows that broke no rule."""
        return [row for row in self.rows if not row["_rules"]]

    @property
    def broken(self) -> dict[int, list[str]]:
        """Broken rules by line."""
        return {row["_line"]: row["_rules"] for row in self.rows if row["_rules"]}

    @property
    def refusal(self) -> silver.Problem:
        """Why the delivery was refused as a whole."""
        assert self.outcome.status == "refused", self.outcome
        return self.outcome.problems[0]


class Region:
    """A region with one table in a home of its own."""

    def __init__(self, home: Path, contract: Contract, settings: dict[str, Any] | None = None, **entry: Any) -> None:
        self.home, self.contract = home, contract
        self.settings = Settings(home=home, _env_file=None, **(settings or {}))  # type: ignore[call-arg]
        self.entry = {"name": "eu", "timezone": "Europe/Berlin", "currency": "EUR", "root": "eu", **entry}
        self.received = 0

    @property
    def platform(self) -> Platform:
        """The platform with the entry and the contract as they are now."""
        tables = {self.contract.name: self.entry.get("table", {})}
        entry = {k: v for k, v in self.entry.items() if k != "table"} | {"tables": tables}
        registry = Registry.model_validate({"regions": {"eu": entry}})
        return Platform(self.settings, registry, {self.contract.name: self.contract})

    def deliver(self, data: bytes | str, slot: str = "f.csv", day: date = DAY, count: int | None = None) -> None:
        """Receive `data` as the slot's newest delivery, at an instant that does not depend on the clock."""
        raw = data.encode() if isinstance(data, str) else data
        at = NOON.replace(microsecond=self.received)
        self.received += 1
        receive(
            self.platform.layout("eu"),
            self.contract.name,
            day,
            slot,
            BytesIO(raw),
            origin="test",
            received_at=at,
            record_count=count,
        )

    def bring_up(self) -> list[silver.SlotState]:
        """Silver brought up to date."""
        return silver.bring_up(self.platform, "eu", self.contract.name)

    def judged(self, state: silver.SlotState) -> Judged:
        """What came of the newest delivery of a slot."""
        layout, at = self.platform.layout("eu"), (state.slot.table, state.slot.day, state.slot.name)
        if state.refused:
            place = layout.refused_file(*at, ".parquet")
            return Judged(state.refused[0], rows_of(place) if state.refused[0].judged else [])
        assert state.published is not None
        return Judged(state.published, rows_of(layout.silver_file(*at)))

    def judge(self, data: bytes | str, slot: str = "f.csv", **kwargs: Any) -> Judged:
        """Deliver and validate; what came of it."""
        self.deliver(data, slot, **kwargs)
        [state] = [s for s in self.bring_up() if s.slot.name == slot]
        assert state.is_current
        return self.judged(state)

    def judge_all(self, contents: Sequence[bytes]) -> list[Judged]:
        """Deliver all, each in a slot of its own, and validate them together."""
        for i, data in enumerate(contents):
            self.deliver(data, f"{i:04}.csv")
        return [self.judged(state) for state in self.bring_up()]


def rows_of(path: Any) -> list[dict[str, Any]]:
    """The rows of a silver file by line, read by another reader than its writer."""
    return sorted(pq.read_table(path, partitioning=None).to_pylist(), key=lambda row: row["_line"])


def snapshot(home: Path) -> dict[str, tuple[int, int]]:
    """Every published file with its inode and time: equal only where nothing was written again."""
    return {
        str(p.relative_to(home)): (p.stat().st_ino, p.stat().st_mtime_ns)
        for p in home.rglob("*")
        if p.is_file() and p.suffix != ".lock"
    }


def contents(home: Path) -> dict[str, bytes]:
    """What stands in silver and beside it, byte for byte."""
    folders = [home / "eu" / "silver", home / "eu" / "refused", home / "global"]
    return {str(p.relative_to(home)): p.read_bytes() for f in folders for p in f.rglob("*") if p.is_file()}
