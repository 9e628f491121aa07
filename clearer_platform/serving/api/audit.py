"""The audit log: who was refused what, when and why, as JSON lines below `<home>/audit/`.

It never holds a secret, a value of a row or a path as the client wrote it, and never more than five files.
"""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

KEPT = 4
"""Older files beside the current one."""


class Audit:
    """Appends to the audit log of one home."""

    def __init__(self, home: Path, most_bytes: int) -> None:
        folder = home / "audit"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "api.jsonl"
        self._file = RotatingFileHandler(path, maxBytes=most_bytes, backupCount=KEPT, encoding="utf-8", delay=True)
        self._file.setFormatter(logging.Formatter("%(message)s"))

    def refused(self, **facts: Any) -> None:
        """Write down one refused request."""
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **facts})
        self._file.handle(logging.LogRecord("clearer.audit", logging.INFO, "", 0, line, None, None))

    def close(self) -> None:
        """Close the file."""
        self._file.close()
