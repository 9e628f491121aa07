"""clearer_platform: what regions deliver, validated and built into tables that can be read.

>>> import clearer_platform as cp
>>> cp.load("branch_performance_daily", region="eu", start="2024-10-24")
>>> cp.tables()

Importing the package is cheap; what is heavy is imported when it is first asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clearer_platform.serving.frames import load, tables

__all__ = ["load", "tables"]


def __getattr__(name: str) -> Any:
    """`load` and `tables`, imported on first use."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from clearer_platform.serving import frames

    return getattr(frames, name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
