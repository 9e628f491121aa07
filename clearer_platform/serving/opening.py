"""Opening the platform for whoever asks from outside: what is wrong with its settings is said like any other error."""

from pathlib import Path

from pydantic import ValidationError

from clearer_platform.errors import ClearerError
from clearer_platform.platform import Platform
from clearer_platform.settings import Settings


def open_settings(home: str | Path | None = None) -> Settings:
    """The settings of the environment, for the home given. Raises ClearerError naming the variable that is wrong."""
    try:
        return Settings(home=Path(home)) if home is not None else Settings()
    except ValidationError as e:
        reasons = [
            f"CLEARER_{'_'.join(map(str, p['loc'])).upper()}: {p['msg'].removeprefix('Value error, ')}"
            for p in e.errors()
        ]
        raise ClearerError("settings: " + "; ".join(reasons), hint="mend the variable, or .env") from e


def open_platform(home: str | Path | None = None) -> Platform:
    """The platform as settings, registry and contracts describe it."""
    return Platform.open(open_settings(home))


def chosen_regions(platform: Platform, names: list[str] | None) -> list[str]:
    """The regions asked for, or all. Raises UnknownName."""
    return [platform.region(name).name for name in dict.fromkeys(names)] if names else list(platform.registry.regions)
