"""What makes a home the sample's: a file that says how large the sample is and where its API answers."""

import re
import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from json import JSONDecodeError, dumps, loads
from pathlib import Path

from clearer_platform.errors import ClearerError
from clearer_platform.regions import load_registry
from clearer_platform.sample.plan import Size
from clearer_platform.sample.ports import free_port
from clearer_platform.sample.world import REGISTRY
from clearer_platform.storage import publish_bytes

MARK = "sample.json"
TOKEN_ENV = "CLEARER_SAMPLE_TOKEN"
"""The variable by which the sample's registry names the API's secret."""
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
LAST = re.compile(r"(?ms)(^\[[\w.]+\.http\]$(?:(?!^\[).)*?^last = )\d{4}-\d{2}-\d{2}")
"""The last day of an API: other blocks have a `last` of their own."""


class SampleError(ClearerError):
    """A home that holds something else than this sample, or no sample yet."""


@dataclass(frozen=True)
class Mark:
    """One sample: its size, and the port and the secret of its API."""

    size: Size
    port: int
    token: str


def is_marked(home: Path) -> bool:
    """Whether `home` is a sample's."""
    return (home / MARK).exists()


def read_mark(home: Path) -> Mark:
    """The sample in `home`. Raises SampleError where there is none."""
    try:
        known = loads((home / MARK).read_text("utf-8"))
        return Mark(port=known.pop("port"), token=known.pop("token"), size=Size(**known))
    except FileNotFoundError as e:
        raise SampleError(f"{home} holds no sample", hint="run `clearer sample` first") from e
    except (JSONDecodeError, TypeError, KeyError) as e:
        raise SampleError(
            f"{home / MARK} cannot be read: {e}", hint="remove the folder and make the sample again"
        ) from e


def environment(home: Path) -> dict[str, str]:
    """The variables by which the API of the sample in `home` is opened; none on any other home."""
    return {TOKEN_ENV: f"Bearer {read_mark(home).token}"} if is_marked(home) else {}


def make_mark(home: Path, size: Size) -> Mark:
    """Make `home` a sample's, with its registry; one that is there already stays. Raises SampleError for any other."""
    registry = home / "regions.toml"
    if registry.exists() and _same(registry.read_text("utf-8")) != _same(REGISTRY.read_text("utf-8")):
        raise SampleError(f"{registry} is not the sample's registry", hint="set CLEARER_HOME to another folder")
    mark = read_mark(home) if is_marked(home) else Mark(size, free_port(), secrets.token_urlsafe())
    if mark.size != size:
        raise SampleError(
            f"{home} holds a sample of another size", hint="remove it, or set CLEARER_HOME to another folder"
        )
    publish_bytes(_registry(mark).encode(), registry)
    known = {**asdict(mark.size), "port": mark.port, "token": mark.token}
    publish_bytes(dumps(known, indent=1).encode(), home / MARK, 0o600)
    return mark


def _registry(mark: Mark) -> str:
    """The sample's registry with the address and the last day of this sample's API."""
    last = load_registry(REGISTRY).start + timedelta(days=mark.size.days - 1)
    return LAST.sub(rf"\g<1>{last}", ADDRESS.sub(f"http://127.0.0.1:{mark.port}", REGISTRY.read_text("utf-8")))


def _same(text: str) -> str:
    """A registry without what differs from sample to sample."""
    return LAST.sub("", ADDRESS.sub("", text))
