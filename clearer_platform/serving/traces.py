"""Where something unexpected happened: written below the home, without the message, which may quote data."""

import traceback
import uuid
from pathlib import Path


def write_trace(home: Path, error: BaseException, during: str) -> Path | None:
    """The file that says where `error` came up; None where it cannot be written, or there is no home."""
    file = home / "logs" / f"error-{uuid.uuid4().hex[:8]}.txt"
    frames = "".join(traceback.format_tb(error.__traceback__))
    try:
        if not home.is_dir():
            return None
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{during}\n{frames}{type(error).__module__}.{type(error).__qualname__}\n", "utf-8")
    except OSError:
        return None
    return file
