"""A dbt project that is ready to run, as it stands in a home: where it is, and what dbt wrote down of it."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from clearer_platform.errors import BuildError


@dataclass(frozen=True)
class Prepared:
    """A project that is ready to run."""

    folder: Path
    version: str

    @property
    def parsed(self) -> Path:
        """The manifest as dbt reads it back."""
        return self.folder / "target" / "partial_parse.msgpack"

    @property
    def manifest(self) -> dict[str, Any]:
        """dbt's manifest.json, read once in a process. Raises DamagedProject."""
        return _manifest(self)


class DamagedProject(BuildError):
    """A prepared project that can no longer be read, as after a power cut."""

    def __init__(self, prepared: Prepared) -> None:
        hint = "remove this folder, and run again: it is prepared anew"
        super().__init__(f"the prepared dbt project in {prepared.folder} cannot be read", hint=hint)


@lru_cache(maxsize=8)
def _manifest(prepared: Prepared) -> dict[str, Any]:
    path = prepared.folder / "target" / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        raise DamagedProject(prepared) from None
    return manifest
