"""Roles: which of them may do what with which tables. Read from `data/roles.toml`; what no grant names is denied.

A table is called `<layer>.<name>` here. Regions do not occur: whoever holds a role holds it for one region.
"""

from collections.abc import Collection
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from clearer_platform.declarations import read_toml, rejected
from clearer_platform.errors import RolesError, UnknownName

Layer = Literal["silver", "gold", "global"]
Selector = Annotated[str, Field(pattern=r"^(silver|gold|global)\.(\*|[a-z][a-z0-9_]*\*?)$")]
"""Tables: `gold.*`, `silver.jobs`, `gold.hires_*`."""


class Operation(StrEnum):
    """What may be done with a table."""

    READ = "read"
    """Read the rows that were built."""
    WRITE = "write"
    """Deliver batches of rows."""
    FOLLOW = "follow"
    """See what became of batches."""
    BACK_UP = "back_up"
    """Make a backup, and see which there are."""
    RESTORE = "restore"
    """Put a backup in the table's place."""


LAYERS: dict[Operation, tuple[Layer, ...]] = {
    Operation.READ: ("gold", "global"),
    Operation.WRITE: ("silver",),
    Operation.FOLLOW: ("silver",),
    Operation.BACK_UP: ("silver", "gold"),
    Operation.RESTORE: ("silver", "gold"),
}
"""The layers whose tables an operation is about."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Grant(_Entry):
    """Operations, and the tables on which they are allowed."""

    may: tuple[Operation, ...] = Field(min_length=1)
    on: tuple[Selector, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fit(self) -> "Grant":
        for operation in self.may:
            for selector in self.on:
                if selector.split(".")[0] not in LAYERS[operation]:
                    raise ValueError(f"{operation!s} is about {' and '.join(LAYERS[operation])}, not {selector}")
        return self

    def allows(self, operation: Operation, table: str) -> bool:
        """Whether this grant covers `operation` on `table`."""
        return operation in self.may and any(fnmatchcase(table, selector) for selector in self.on)


class Role(_Entry):
    """What the holders of one role may do."""

    description: str = Field(min_length=1)
    includes: str | None = Field(default=None, description="A role whose grants this one has as well.")
    sees: Literal["aggregates", "pseudonyms"] = Field(
        default="aggregates", description="In which form people may occur in the gold that is read."
    )
    grants: tuple[Grant, ...] = Field(min_length=1)


class Roles(_Entry):
    """All roles; a name that is not among them may do nothing."""

    roles: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Role], Field(min_length=1)]

    @model_validator(mode="after")
    def _end(self) -> "Roles":
        for name in self.roles:
            self._chain(name)
        return self

    def role(self, name: str) -> Role:
        """The role called `name`. Raises UnknownName."""
        if name not in self.roles:
            raise UnknownName("role", name, list(self.roles))
        return self.roles[name]

    def allows(self, role: str, operation: Operation, table: str) -> bool:
        """Whether `role` may do `operation` on `table`."""
        return any(grant.allows(operation, table) for grant in self.grants(role))

    def allows_any(self, role: str, operation: Operation) -> bool:
        """Whether there may be a table on which `role` may do `operation`."""
        return any(operation in grant.may for grant in self.grants(role))

    def sees(self, role: str) -> frozenset[str]:
        """The forms of gold that `role` may read: what `leaves` says of a model."""
        return frozenset(form for each in self._chain(role) for form in ("aggregates", each.sees))

    def grants(self, role: str) -> tuple[Grant, ...]:
        """Every grant of `role`, those that it includes among them; none for a role that is not declared."""
        return tuple(grant for each in self._chain(role) for grant in each.grants)

    def check_tables(self, known: Collection[str], path: Path) -> None:
        """Raise RolesError for a grant on tables of which there are none."""
        for name, role in self.roles.items():
            for place, grant in enumerate(role.grants):
                for selector in grant.on:
                    if not selector.endswith(".*") and not any(fnmatchcase(table, selector) for table in known):
                        raise RolesError(
                            f"{path}: roles.{name}.grants.{place}.on: there is no table {selector}",
                            hint=f"known: {', '.join(sorted(known))}",
                        )

    def _chain(self, name: str) -> list[Role]:
        """The role, the one that it includes, and so on. Raises ValueError where that leads nowhere or never ends."""
        seen: dict[str, Role] = {}
        wanted: str | None = name if name in self.roles else None
        while wanted is not None:
            if wanted in seen:
                raise ValueError(f"{name}: it includes itself ({' -> '.join([*seen, wanted])})")
            if wanted not in self.roles:
                raise ValueError(f"{name}: there is no role {wanted!r} to include")
            seen[wanted] = self.roles[wanted]
            wanted = seen[wanted].includes
        return list(seen.values())


def load_roles(path: Path) -> Roles:
    """The roles in the TOML file `path`. Raises RolesError that names the file, the entry and the reason."""
    raw = read_toml(path, "declaration of roles", RolesError, absent="set CLEARER_ROLES_FILE to the one that counts")
    try:
        return Roles.model_validate(raw)
    except ValidationError as e:
        raise rejected(path, e, RolesError) from e
