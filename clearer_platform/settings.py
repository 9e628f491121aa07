"""The one typed Settings: everything that a deployment may set, read from `CLEARER_*` variables or `.env`."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PACKAGE = Path(__file__).resolve().parent
PROJECT = found if (found := PACKAGE / "project").exists() else PACKAGE.parent
"""Where dbt/ and data/ are: beside the package in a clone, inside it where a wheel was installed."""


CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
MEMORY = re.compile(r"(\d+(?:\.\d+)?) ?([KMGT])(i?)B", re.IGNORECASE)
LEAST_MEMORY = 64_000_000
"""Bytes with which the engine can open a warehouse at all."""
CRON_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


class Settings(BaseSettings):
    """Where the platform lives and what it may use. A relative path is taken from the current folder."""

    model_config = SettingsConfigDict(env_prefix="CLEARER_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path(".clearer"), description="Folder that holds everything this installation writes.")
    regions_file: Path | None = Field(default=None, description="The registry; by default <home>/regions.toml.")
    contract_modules: tuple[str, ...] = Field(
        default=(), description="Importable modules with further contracts, beside those of this package (a JSON list)."
    )
    roles_file: Path = Field(default=PROJECT / "data" / "roles.toml", description="Who may do what with which tables.")
    dbt_project: Path = Field(default=PROJECT / "dbt", description="The dbt project that builds gold.")
    warehouse: Literal["duckdb", "motherduck"] = Field(
        default="duckdb", description="Where gold is served from; motherduck makes a database a region."
    )
    motherduck_prefix: str = Field(default="clearer", description="MotherDuck databases are named <prefix>_<region>.")
    memory_limit: str = Field(default="2GB", description="What one DuckDB process may use.")
    threads: int = Field(default=0, ge=0, description="Threads of one DuckDB process; 0 means one a core.")
    batch_bytes: int = Field(
        default=160_000_000, gt=0, description="Delivered bytes that are validated in one query (uncompressed)."
    )
    max_delivery_bytes: int = Field(
        default=8_000_000_000, gt=0, description="A delivery larger than this, uncompressed, is refused."
    )
    settle: float = Field(
        default=0.5, ge=0, description="Seconds for which a landing file without a .done marker must not have changed."
    )
    bucket_every: float = Field(
        default=5, ge=0, description="Seconds between two looks into landing folders in buckets; each is a request."
    )
    queue_every: float = Field(
        default=1, ge=0.1, description="Seconds between two looks into queues that tell of new objects in buckets."
    )
    notifiers: tuple[str, ...] = Field(
        default=("log",),
        description="Who is told of alerts (a JSON list): log, webhook:<URL or $VARIABLE>, module:factory.",
    )
    ui_url: str | None = Field(default=None, description="Where the UI answers, for links in alerts; `up` sets it.")
    schedule: str = Field(
        default="0 * * * *",
        description="When other databases are read and published to, at the latest; a cron line, in UTC.",
    )
    backup_tables: tuple[str, ...] = Field(
        default=(), description="Tables of which every region that has them is backed up each day (a JSON list)."
    )
    backup_hour: int = Field(default=3, ge=0, le=23, description="The hour of that, in each region's own time.")
    backup_keep: int = Field(default=7, ge=1, description="How many backups of each of them are kept.")
    lock_timeout: float = Field(default=600, ge=0, description="Seconds to wait for another writer of a region.")
    api_max_body_bytes: int = Field(
        default=4_000_000,
        gt=0,
        description="A request to the REST service with a larger body, as it comes, is refused.",
    )
    api_max_unpacked_bytes: int = Field(
        default=16_000_000, gt=0, description="A body that unpacks to more is refused while it is unpacked."
    )
    api_max_field_chars: int = Field(
        default=65_536, gt=0, le=131_072, description="Characters of one value in a batch."
    )
    api_max_rows: int = Field(default=10_000, gt=0, description="Rows of a table in one answer.")
    api_requests_per_minute: int = Field(default=6_000, gt=0, description="Requests of one API key in a minute.")
    api_failures_per_minute: int = Field(
        default=30, gt=0, description="Requests without a valid key from one address in a minute."
    )
    api_concurrency: int = Field(default=32, gt=0, description="Requests that are worked on at a time.")
    api_workers: int = Field(default=4, gt=0, description="Threads that read and write for the REST service.")
    api_timeout: float = Field(
        default=60, gt=0, description="Seconds that a request may take to come, and its answer to be made."
    )
    api_audit_bytes: int = Field(
        default=5_000_000, gt=0, description="Size of one audit file of refused requests; five are kept."
    )

    @field_validator("memory_limit")
    @classmethod
    def _memory(cls, text: str) -> str:
        found = MEMORY.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is no amount of memory: a number and MB, GB, TB, MiB, GiB or TiB, such as 2GB")
        number, unit, is_binary = found.groups()
        if float(number) * (1024 if is_binary else 1000) ** ("KMGT".index(unit.upper()) + 1) < LEAST_MEMORY:
            raise ValueError(f"{text!r} is too little: at least {LEAST_MEMORY // 1_000_000}MB")
        return text.strip()

    @field_validator("schedule")
    @classmethod
    def _cron(cls, line: str) -> str:
        fields = line.split()
        if len(fields) != len(CRON_FIELDS):
            raise ValueError(f"{line!r} is no cron line: minute, hour, day, month, weekday, such as '0 * * * *'")
        for text, (name, least, most) in zip(fields, CRON_FIELDS, strict=True):
            for part in text.split(","):
                found = CRON_PART.fullmatch(part)
                numbers = [int(n) for n in found.groups()[:2] if n] if found else []
                if (
                    not found
                    or found[3] == "0"
                    or any(not least <= n <= most for n in numbers)
                    or numbers != sorted(numbers)
                ):
                    raise ValueError(f"{line!r}: {part!r} is no {name} ({least} to {most}, *, ranges, lists, /steps)")
        return " ".join(fields)

    @property
    def registry_path(self) -> Path:
        """The registry's file."""
        return self.regions_file or self.home / "regions.toml"

    @property
    def dagster_home(self) -> Path:
        """The Dagster instance's folder."""
        return self.home / "dagster"
