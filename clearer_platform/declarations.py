"""Reading what is declared in TOML (the registry, the roles): a mistake names the file, the entry and the reason."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clearer_platform.errors import ClearerError


def read_toml(path: Path, what: str, kind: type[ClearerError], *, absent: str) -> dict[str, Any]:
    """The content of the TOML file `path`, which is called `what`; `absent` says what to do where there is none.

    Raises an error of this `kind`.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # Some editors begin a file with a byte-order mark.
    except FileNotFoundError as e:
        raise kind(f"there is no {what} at {path}", hint=absent) from e
    except UnicodeDecodeError as e:
        raise kind(f"{path} is not UTF-8 text (byte {e.start})", hint="save it as UTF-8") from e
    except tomllib.TOMLDecodeError as e:
        raise kind(f"{path} is not valid TOML: {e}") from e
    except OSError as e:
        raise kind(f"cannot read the {what} {path}: {e.strerror}") from e


def rejected(path: Path, error: ValidationError, kind: type[ClearerError]) -> ClearerError:
    """The error of this `kind` that says which entries of the file `path` cannot be, and why."""
    reasons = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
    return kind(f"{path} cannot be used:\n  " + "\n  ".join(reasons))
