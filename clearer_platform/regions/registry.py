"""What the registry may say of a region, and reading it. Every default stands in this package and nowhere else."""

import re
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from clearer_platform.declarations import read_toml, rejected
from clearer_platform.errors import RegistryError, UnknownName
from clearer_platform.regions.batches import BatchEntry, QueueEntry
from clearer_platform.regions.calendar import Calendar, FirstOfYear, HolidayCode, IsoDate, holidays, library
from clearer_platform.regions.forms import CsvFormat, Entry, TableSource
from clearer_platform.regions.http import HttpSource, http_source
from clearer_platform.regions.layout import GLOBAL
from clearer_platform.regions.sql import SqlSource, sql_source
from clearer_platform.regions.targets import Target
from clearer_platform.regions.zones import ZoneName

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EARLIEST_ZONE = "Etc/GMT-14"
"""Where a day begins first: a day can be delivered for as soon as it has begun anywhere."""


class TableEntry(Entry):
    """What a region says of one table that it delivers."""

    days: Literal["daily"] | tuple[Weekday, ...] = Field(
        default="daily", description="Business days on which a delivery is due; others may come, none is missed."
    )
    columns: dict[str, str] = Field(default_factory=dict, description="Contract column -> the file's header name.")
    nested: dict[str, dict[str, str]] = Field(
        default_factory=dict, description="Nested table -> contract column -> key in the JSON objects."
    )
    timezone: ZoneName | None = Field(default=None, description="The source's zone where it is not the region's.")
    csv: dict[str, Any] = Field(default_factory=dict, description="What differs from the region's csv block.")
    http: dict[str, Any] | None = Field(default=None, description="The API that has it; over the region's http block.")
    sql: dict[str, Any] | None = Field(
        default=None, description="The database server that has it; over the region's sql block."
    )
    batches: BatchEntry | None = Field(
        default=None, description="Landing files are sent through in batches; by default each is a delivery."
    )


class Region(Entry):
    """One region: a database of its own, with its formats, its zone, and what it lets leave."""

    name: str
    title: str = ""
    timezone: ZoneName = Field(description="IANA name.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code of the local amounts.")
    root: str = Field(description="Folder (relative to the home) or URL that holds the region's data.")
    work: str | None = Field(default=None, description="Local work folder of a region whose root is a bucket.")
    options: dict[str, Any] = Field(default_factory=dict, description="fsspec options of the root; no secrets.")
    queue: QueueEntry | None = Field(default=None, description="The queue into which a root in a bucket tells of news.")
    leaves: Literal["pseudonyms", "aggregates"] = Field(
        default="aggregates", description="What may be read outside the region's root."
    )
    start: date = Field(default=date(2024, 1, 1), description="First business day.")
    cutoff: time = Field(default=time(6, 0), description="Local time on the next day after which a delivery is late.")
    fold: Literal["earlier", "later", "reject"] = Field(
        default="earlier", description="A local time that exists twice: which of the two, or reject the row."
    )
    gap: Literal["forward", "reject"] = Field(
        default="reject", description="A local time that does not exist: move it forward by the gap, or reject the row."
    )
    holidays: HolidayCode | None = Field(
        default=None, description="Whose public holidays count: a country (DE), or a part of one (DE-BY)."
    )
    own_holidays: dict[IsoDate, str] = Field(default_factory=dict, description="Further holidays: day -> name.")
    fiscal_year_starts: FirstOfYear = Field(default="01-01", description="Month and day on which a fiscal year begins.")
    csv: CsvFormat = CsvFormat()
    http: dict[str, Any] = Field(default_factory=dict, description="What the http blocks of its tables share.")
    sql: dict[str, Any] = Field(default_factory=dict, description="What the sql blocks of its tables share.")
    tables: dict[str, TableEntry] = Field(default_factory=dict)

    @field_validator("queue", mode="before")
    @classmethod
    def _queue(cls, entry: Any) -> Any:
        return {"url": entry} if isinstance(entry, str) else entry

    @field_validator("cutoff", mode="before")
    @classmethod
    def _time_of_day(cls, entry: Any) -> Any:
        if isinstance(entry, int | float):  # It would be taken for seconds.
            raise ValueError("it is a time of day, written as 06:00:00")
        return entry

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == GLOBAL:
            raise ValueError(f"a region's name is lower-case letters, digits and underscores, and not '{GLOBAL}'")
        return name

    @model_validator(mode="after")
    def _queue_fits(self) -> "Region":
        if self.queue and "://" not in self.root:
            raise ValueError("a queue tells of objects in a bucket, and root is none")
        return self

    @model_validator(mode="after")
    def _formats_fit(self) -> "Region":
        for table in self.tables:
            self.source(table)
            self.http_source(table)
            self.sql_source(table)
        return self

    @property
    def first_of_fiscal_year(self) -> tuple[int, int]:
        """Month and day on which a fiscal year begins."""
        month, day = map(int, self.fiscal_year_starts.split("-"))
        return month, day

    @property
    def own_calendar(self) -> list[Any]:
        """All that decides about its holidays and its fiscal year."""
        days = {f"{day}": name for day, name in sorted(self.own_holidays.items())}
        return [self.holidays, library(self.holidays), days, self.fiscal_year_starts]

    @property
    def zone(self) -> ZoneInfo:
        """The region's time zone."""
        return ZoneInfo(self.timezone)

    def today(self, now: datetime) -> date:
        """The region's business day at the instant `now` (aware)."""
        return now.astimezone(self.zone).date()

    def source(self, table: str) -> TableSource:
        """How `table` is read here. Raises UnknownName for a table that this region does not deliver."""
        entry = self.tables.get(table)
        if entry is None:
            raise UnknownName(f"table of region {self.name}", table, list(self.tables))
        server = self.sql_source(table)
        return TableSource(
            region=self.name,
            table=table,
            timezone=entry.timezone or self.timezone,
            nulls=(server.nulls or None) if server else None,
            fold=self.fold,
            gap=self.gap,
            csv=CsvFormat.model_validate({**self.csv.model_dump(exclude_unset=True), **entry.csv}),
            columns=entry.columns,
            nested=entry.nested,
        )

    def http_source(self, table: str) -> HttpSource | None:
        """The API that `table` is read from, if it is; files of it may come all the same."""
        entry = self.tables[table].http
        return None if entry is None else http_source(self.http, entry)

    def sql_source(self, table: str) -> SqlSource | None:
        """The database server that `table` is read from, if it is; files of it may come all the same."""
        entry = self.tables[table].sql
        return None if entry is None else sql_source(self.sql, table, entry)

    def batches(self, table: str) -> BatchEntry | None:
        """How the landing files of `table` are sent through in batches; None where each of them is a delivery."""
        entry = self.tables.get(table)
        return entry.batches if entry else None

    def is_due(self, table: str, day: date) -> bool:
        """Whether a delivery of `table` is expected for the business day `day`."""
        days = self.tables[table].days
        return day >= self.start and (days == "daily" or WEEKDAYS[day.weekday()] in days)


class Registry(Entry):
    """All regions, and what they share."""

    reporting_currency: str = Field(default="EUR", pattern=r"^[A-Z]{3}$")
    root: str = Field(default="global", description="Root of what is built across regions.")
    options: dict[str, Any] = Field(default_factory=dict)
    calendar: Calendar = Calendar()
    regions: dict[str, Region]
    targets: dict[str, Target] = Field(default_factory=dict, description="Where gold is published to.")

    @model_validator(mode="after")
    def _targets_fit(self) -> "Registry":
        for target in self.targets.values():
            for region in target.regions:
                if region not in self.regions:
                    known = ", ".join(self.regions)
                    raise ValueError(f"targets.{target.name}: unknown region {region!r} (known: {known})")
        return self

    def target(self, name: str) -> Target:
        """The target called `name`. Raises UnknownName with those that are known."""
        if name not in self.targets:
            raise UnknownName("target", name, list(self.targets))
        return self.targets[name]

    def regions_of(self, target: Target) -> list[str]:
        """The regions whose gold is published to `target`."""
        return [name for name in self.regions if not target.regions or name in target.regions]

    @model_validator(mode="after")
    def _days_are_in_the_calendar(self) -> "Registry":
        for region in self.regions.values():
            for what, days in (("start", [region.start]), ("own_holidays", sorted(region.own_holidays))):
                if outside := [day for day in days if day not in self.calendar]:
                    first, last = self.calendar.first, self.calendar.last
                    raise ValueError(
                        f"regions.{region.name}.{what}: {outside[0]} is not in the calendar ({first} to {last})"
                    )
        return self

    def region(self, name: str) -> Region:
        """The region called `name`. Raises UnknownName with those that are known."""
        if name not in self.regions:
            raise UnknownName("region", name, list(self.regions))
        return self.regions[name]

    def holidays(self, region: str) -> dict[date, str]:
        """Day -> name of every holiday of `region` within the calendar. Raises RegistryError for an unknown country."""
        entry = self.region(region)
        try:
            return holidays(self.calendar, entry.holidays, entry.own_holidays)
        except RegistryError as e:
            raise RegistryError(f"regions.{region}: {e.message}", hint=e.hint) from None

    @property
    def start(self) -> date:
        """The first business day of any region."""
        return min(region.start for region in self.regions.values())

    def newest_day(self, now: datetime) -> date:
        """The last day that has begun anywhere at the instant `now` (aware)."""
        return now.astimezone(ZoneInfo(EARLIEST_ZONE)).date()


def load_registry(path: Path) -> Registry:
    """The registry in the TOML file `path`. Raises RegistryError that names the file, the entry and the reason."""
    hint = "set CLEARER_HOME or CLEARER_REGIONS_FILE, or run `clearer sample` to make a sample one"
    raw = read_toml(path, "registry", RegistryError, absent=hint)
    regions = raw.get("regions")
    if not isinstance(regions, dict) or not regions:
        raise RegistryError(f"{path} declares no region", hint="add a block such as [regions.eu]")
    try:
        return Registry.model_validate({**raw, **{of: _named(raw[of]) for of in ("regions", "targets") if of in raw}})
    except ValidationError as e:
        raise rejected(path, e, RegistryError) from e


def _named(entries: Any) -> Any:
    """Entries that know the names they stand under."""
    if not isinstance(entries, dict):
        return entries
    return {name: {**entry, "name": name} if isinstance(entry, dict) else entry for name, entry in entries.items()}
