"""Backups: made, listed and put back, all within the key's region; no backup is ever given out."""

from datetime import date
from typing import Annotated

from fastapi import Body
from pydantic import AwareDatetime, BaseModel, Field

from clearer_platform.governance import Layer, Operation
from clearer_platform.serving import backups
from clearer_platform.serving.api.access import Asking, Caller, OneTable, Serving, among, endpoints, guarded, needs
from clearer_platform.serving.api.service import Service
from clearer_platform.serving.api.tables import TableName

router = endpoints("backups", "", 409, 503)
BACKUP_ID = "^[a-z_][a-z0-9_]*-[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z-[0-9a-f]{16}$"
"""What ids of backups look like: in particular, like no path."""
LAYER: dict[str, Layer] = {"delivered": "silver", "gold": "gold"}
"""The layer of what a backup calls so."""


class Backup(BaseModel):
    """A backup of a table: a typed Avro file in the region's own root, and its manifest."""

    id: str = Field(examples=["departments-20260331T101500.000000Z-0123456789abcdef"])
    region: str
    table: str
    layer: Layer
    created_at: AwareDatetime
    rows: int
    bytes: int = Field(description="Size of the Avro file.")
    sha256: str = Field(description="Hex digest of the Avro file.")
    schema_fingerprint: str = Field(description="Hex digest of its schema.")

    @classmethod
    def of(cls, backup: backups.Backup) -> "Backup":
        """What is told of a backup."""
        told = {name: getattr(backup, name) for name in cls.model_fields}
        return cls(**{**told, "layer": LAYER[backup.layer]})


class Restored(BaseModel):
    """What a restore came to."""

    backup: Backup
    day: date | None = Field(description="Business day of the delivery that restores a delivered table.")
    slot: str | None = Field(description="That delivery's slot.")


@router.post("/backups/{table}", status_code=201)
@guarded(needs(Operation.BACK_UP))
async def back_up(service: Serving, caller: Asking, table: TableName) -> Backup:
    """Back up what a delivered table or a table of gold says now, as an Avro file in the region's own root."""
    return Backup.of(await service.workers.run(backups.create, service.platform, caller.region, table))


@router.get("/backups")
@guarded(needs(Operation.BACK_UP))
async def list_backups(
    service: Serving,
    caller: Asking,
    table: OneTable = None,
) -> list[Backup]:
    """The backups of the key's region, the newest first."""
    return await service.workers.run(_listed, service, caller, table)


@router.post("/restore/{table}")
@guarded(needs(Operation.RESTORE))
async def restore(
    service: Serving,
    caller: Asking,
    table: TableName,
    backup: Annotated[str, Body(embed=True, pattern=BACKUP_ID, description="Id of the backup.")],
) -> Restored:
    """Replace what a table says by the rows of a backup, which is read and verified in full before.

    A delivered table is restored by a delivery, which reaches gold like any other; a table of gold only where the
    warehouse contains exactly what the backup was built from.
    """
    done = await service.workers.run(backups.restore, service.platform, caller.region, backup, table)
    return Restored(backup=Backup.of(done.backup), day=done.day, slot=done.slot)


def _listed(service: Service, caller: Caller, table: str | None) -> list[Backup]:
    may_see = among(service, caller, Operation.BACK_UP, table)
    found = map(Backup.of, backups.listed(service.platform, caller.region, table))
    return [backup for backup in found if f"{backup.layer}.{backup.table}" in may_see]
