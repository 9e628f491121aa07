"""The errors a user can cause. Each says what is wrong, where, why, and what to do; none is shown as a traceback."""

from collections.abc import Iterator
from datetime import date
from typing import Any


class ClearerError(Exception):
    """Something a user, a file, a database or a network got wrong.

    `hint` says what to do about it; the command line prints it on a line of its own.
    """

    exit_code = 1
    may_pass = False
    """Whether the same may go well a moment later: only then does a retry help."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """From one process to another as it is, whatever its constructor asks for."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[ClearerError], args: tuple[Any, ...], state: dict[str, Any]) -> ClearerError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that led to it, the first of them last."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


class RegistryError(ClearerError):
    """The registry of regions is missing or says something that cannot be."""


class UnknownName(ClearerError):
    """A region, table or column that nothing declares."""

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        listed = ", ".join(sorted(known)) or "none"
        super().__init__(f"unknown {kind} {name!r}", hint=f"known: {listed}")


class NothingYet(ClearerError):
    """A table of a region as of a day before anything of it had been delivered."""

    def __init__(self, region: str, table: str, by: date | None, first: date | None) -> None:
        when = f"had been delivered by {by}" if by else "has been delivered"
        hint = f"the first delivery is of {first}" if first else "run `clearer materialize` once something has come"
        super().__init__(f"{region}: nothing of what makes {table} {when}", hint=hint)


class ContractError(ClearerError):
    """A contract that contradicts itself or that a region's entry does not fit."""


class RolesError(ClearerError):
    """The declaration of roles is missing or says something that cannot be."""


class DeliveryError(ClearerError):
    """A delivery that cannot be received: not readable, not named as agreed, changed while being read."""


class StorageError(ClearerError):
    """A root that cannot be read or written: no permission, no space, server gone."""


class NotBuilt(StorageError):
    """A root that has no gold yet."""


class Unreachable(StorageError):
    """A root whose disk or server does not answer as it should."""

    may_pass = True


class BuildError(ClearerError):
    """Gold could not be built or did not pass its tests; the last good version stays."""


class BackupError(ClearerError):
    """A backup that cannot be made or used: damaged, of another table or region, or of another state of gold."""


class Busy(ClearerError):
    """Another process holds a lock for longer than was allowed to wait."""

    may_pass = True


class PublishError(ClearerError):
    """Gold that cannot be published: it may not leave, the target refuses it or would not hold what gold says."""
