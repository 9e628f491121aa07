"""API keys: made, listed, revoked and recognised. What is kept of one is its hash.

A key's secret is 256 random bits. SHA-256 without salt and stretching is enough for it: slow hashes exist for secrets
that people choose, of which an attacker can try the likely ones; here there are 2**256 equally likely ones.
"""

import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from clearer_platform.errors import ClearerError, StorageError, UnknownName
from clearer_platform.storage import publish_bytes, reported

PREFIX = "clearer"
TOKEN = re.compile(rf"{PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
NOBODYS = hashlib.sha256(secrets.token_bytes(32)).hexdigest()
"""What an unknown key is compared with, so that it takes as long as a known one."""


class Key(BaseModel):
    """One API key, without its secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    name: str
    role: str
    region: str
    created_at: AwareDatetime
    revoked_at: AwareDatetime | None = None
    sha256: str = Field(repr=False)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    keys: tuple[Key, ...] = ()


class Keys:
    """The keys of one home, in a file that only its owner can read."""

    def __init__(self, home: Path) -> None:
        self.path = home / "api" / "keys.json"
        self._version: tuple[int, int] | None = None
        self._known: dict[str, Key] = {}

    def create(self, role: str, region: str, name: str = "") -> tuple[Key, str]:
        """A new key, and the token that is its only proof: it can be shown once, now."""
        key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        token = f"{PREFIX}_{key_id}_{secret}"
        key = Key(id=key_id, name=name, role=role, region=region, created_at=datetime.now(UTC), sha256=_digest(token))
        with self._writing():
            self._write((*self.all(), key))
        return key, token

    def revoke(self, key_id: str) -> Key:
        """Make a key worthless from now on. Raises UnknownName."""
        with self._writing():
            keys = {key.id: key for key in self.all()}
            if key_id not in keys:
                raise UnknownName("API key", key_id, list(keys))
            if keys[key_id].revoked_at:
                raise ClearerError(f"the API key {key_id} is revoked already")
            keys[key_id] = keys[key_id].model_copy(update={"revoked_at": datetime.now(UTC)})
            self._write(tuple(keys.values()))
            return keys[key_id]

    def all(self) -> tuple[Key, ...]:
        """Every key that was ever made, the oldest first. Raises StorageError for a file that is damaged."""
        with reported("read", self.path):
            if not self.path.exists():
                return ()
            content = self.path.read_bytes()
        try:
            return _File.model_validate_json(content).keys
        except ValidationError as e:
            raise StorageError(f"{self.path} is damaged", hint="restore it, or remove it and make new keys") from e

    def known(self, token: str) -> Key | None:
        """The key that `token` proves, also one that is revoked; None for any other text."""
        self._refresh()
        found = TOKEN.fullmatch(token)
        key = self._known.get(found[1]) if found else None
        is_right = hmac.compare_digest(_digest(token), key.sha256 if key else NOBODYS)
        return key if key and is_right else None

    def claimed(self, token: str) -> str | None:
        """The id of the known key that `token` claims to be, right or not; for the audit log."""
        found = TOKEN.fullmatch(token)
        return found[1] if found and found[1] in self._known else None

    def _refresh(self) -> None:
        """Read the file again where it was replaced: a revoked key must not work for a moment longer."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._version, self._known = None, {}
            return
        if (version := (status.st_ino, status.st_mtime_ns)) != self._version:
            self._known = {key.id: key for key in self.all()}
            self._version = version

    def _write(self, keys: tuple[Key, ...]) -> None:
        publish_bytes(_File(keys=keys).model_dump_json(indent=1).encode(), self.path, mode=0o600)

    def _writing(self) -> FileLock:
        with reported("write", self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return FileLock(self.path.with_suffix(".lock"))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
