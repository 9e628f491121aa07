"""What a backup is: an Avro file and, beside it, a manifest whose own hash is part of the backup's name."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict
from upath import UPath

from clearer_platform.errors import BackupError
from clearer_platform.gold import State

ID = re.compile(r"(?P<table>[A-Za-z_][A-Za-z0-9_]*)-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z-[0-9a-f]{16}")
STAMP = "%Y%m%dT%H%M%S.%fZ"
AVRO, MANIFEST = ".avro", ".json"


class Content(BaseModel):
    """One silver file that a backed-up gold table was built from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    table: str
    day: date
    slot: str
    fingerprint: str


class GoldState(BaseModel):
    """What the warehouse said of itself when one of its tables was backed up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    as_of: date | None
    contents: tuple[Content, ...]

    @classmethod
    def of(cls, state: State) -> "GoldState":
        """What a warehouse says of itself, as a manifest has it."""
        contents = [
            Content(region=region, table=table, day=day, slot=slot, fingerprint=fingerprint)
            for (region, table, day, slot), fingerprint in sorted(state.contents.items())
        ]
        return cls(version=state.version, as_of=state.as_of, contents=tuple(contents))

    @property
    def state(self) -> State:
        """The same as a warehouse has it."""
        return State(
            self.version, {(c.region, c.table, c.day, c.slot): c.fingerprint for c in self.contents}, self.as_of
        )


class Manifest(BaseModel):
    """What is recorded of a backup beside its file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    table: str
    layer: Literal["delivered", "gold"]
    created_at: AwareDatetime
    rows: int
    size: int
    """Bytes of the Avro file."""
    sha256: str
    """Of every byte of the Avro file."""
    schema_fingerprint: str
    """Of the Avro schema: its SHA-256 in canonical form."""
    gold: GoldState | None = None
    """Of a gold table: what it was built from."""

    @classmethod
    def read(cls, text: bytes) -> "Manifest":
        """The manifest that is stored as `text`. Raises ValueError where it is none."""
        return cls.model_validate_json(text)

    @property
    def text(self) -> bytes:
        """The manifest as it is stored: no other bytes say the same."""
        return self.model_dump_json(indent=1).encode()

    @property
    def id(self) -> str:
        """The backup's name: table, instant and the manifest's own hash, so that no byte of it can change unseen."""
        stamp = self.created_at.astimezone(UTC).strftime(STAMP)
        return f"{self.table}-{stamp}-{hashlib.sha256(self.text).hexdigest()[:16]}"


@dataclass(frozen=True)
class Backup:
    """One backup of a table of a region."""

    manifest: Manifest
    file: UPath | Path
    """The Avro file, in the region's own root."""

    @property
    def id(self) -> str:
        """Unique; the ids of a table sort by `created_at`."""
        return self.manifest.id

    @property
    def region(self) -> str:
        """The region whose table it is; it never leaves its root."""
        return self.manifest.region

    @property
    def table(self) -> str:
        """The table that was backed up."""
        return self.manifest.table

    @property
    def layer(self) -> Literal["delivered", "gold"]:
        """Whether a delivered table's picture or a table of gold was backed up."""
        return self.manifest.layer

    @property
    def rows(self) -> int:
        """Number of rows in it."""
        return self.manifest.rows

    @property
    def bytes(self) -> int:
        """Size of the Avro file."""
        return self.manifest.size

    @property
    def sha256(self) -> str:
        """Hex digest of the Avro file."""
        return self.manifest.sha256

    @property
    def created_at(self) -> datetime:
        """When it was made (aware)."""
        return self.manifest.created_at

    @property
    def schema_fingerprint(self) -> str:
        """Hex digest of the Avro schema."""
        return self.manifest.schema_fingerprint


@dataclass(frozen=True)
class Restored:
    """What a restore came to."""

    backup: Backup
    day: date | None
    """The business day of the delivery that a delivered table was restored by; None for a table of gold."""
    slot: str | None
    """Its slot."""


def table_of(backup_id: str) -> str:
    """The table that a backup's id names. Raises BackupError for what is no id of ours."""
    found = ID.fullmatch(backup_id)
    if found is None:
        raise BackupError(
            f"{backup_id!r} is no id of a backup", hint="`clearer backups list` names those that are there"
        )
    return found["table"]
