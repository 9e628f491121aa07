"""Pseudonyms: a person outside their region's root. HMAC-SHA256 under a key that the region alone holds.

The key is made on first use in the region's own secrets folder, or comes from the environment (a secret store). It is
never in the registry, in a log or in a statement's text: it travels as a prepared parameter.
"""

import hashlib
import hmac
import os
import secrets
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clearer_platform.errors import StorageError
from clearer_platform.regions import Layout
from clearer_platform.storage import is_there, reported

LENGTH = 32
"""Hex digits of the HMAC that make a pseudonym: 128 bits, so that no two people share one; written as a UUID."""
LEAST = 16
"""Bytes that a key must have at least."""
BLOCK = 64
"""Bytes of a SHA-256 block, to which HMAC pads its key."""


@dataclass(frozen=True)
class Pseudonyms:
    """What turns the identifiers of one region into pseudonyms."""

    key: bytes = field(repr=False)

    @classmethod
    def of(cls, layout: Layout) -> "Pseudonyms":
        """The region's own, from CLEARER_PSEUDONYM_KEY_<REGION> or its key file, which is made on first use.

        Raises StorageError for a weak key, and for none where gold has been built: it was built with one.
        """
        name = f"CLEARER_PSEUDONYM_KEY_{layout.name.upper()}"
        path = layout.secrets / "pseudonym.key"
        given = os.environ.get(name)
        if given is None and not path.exists() and is_there(layout.warehouse):
            raise StorageError(
                f"{layout.name}: gold has been built, and its pseudonym key is neither in {path} nor in {name}",
                hint=f"restore it: with another one every pseudonym changes; to begin anew, remove {layout.warehouse}",
            )
        key = given.encode() if given is not None else _stored(path)
        if len(key) < LEAST:
            raise StorageError(
                f"{layout.name}: the pseudonym key in {path if given is None else name} has fewer than {LEAST} bytes",
                hint="restore the key from its backup: with another one every pseudonym changes",
            )
        return cls(key)

    def __call__(self, identifier: str) -> str:
        """The pseudonym of `identifier`."""
        digest = hmac.new(self.key, identifier.encode(), hashlib.sha256).hexdigest()
        return str(uuid.UUID(digest[:LENGTH]))

    @property
    def key_id(self) -> str:
        """Tells one key from another without giving it away."""
        return hmac.new(self.key, b"clearer key id", hashlib.sha256).hexdigest()[:16]

    @property
    def parameters(self) -> dict[str, bytes]:
        """What `expression` needs as prepared parameters."""
        key = hashlib.sha256(self.key).digest() if len(self.key) > BLOCK else self.key
        padded = key.ljust(BLOCK, b"\0")
        return {"inner": bytes(b ^ 0x36 for b in padded), "outer": bytes(b ^ 0x5C for b in padded)}


def expression(identifier: str) -> str:
    """DuckDB's expression for the pseudonym of the SQL expression `identifier`, to be run with `parameters`.

    HMAC written out, because the engine has no such function: a call a row from Python costs a hundred times as much.
    """
    inner = f"unhex(sha256($inner::blob || encode({identifier})))"
    return f"cast(left(sha256($outer::blob || {inner}), {LENGTH}) as uuid)"


def _stored(path: Path) -> bytes:
    """The key in `path`, made on first use. Whoever comes second reads the first one's: a link is made once only."""
    with reported("read", path):
        if path.exists():
            return path.read_bytes()
    with reported("write", path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_hex(32).encode())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(beside, path)
        finally:
            beside.unlink()
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    with reported("read", path):
        return path.read_bytes()
