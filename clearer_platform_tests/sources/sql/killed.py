"""A reading whose process kills itself at one of its commit points."""

import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from clearer_platform.bronze import receive
from clearer_platform.serving.opening import open_platform
from clearer_platform.sources.sql import kept, reading


def fetch(environment: Mapping[str, str], name: str, number: int, before: bool) -> None:
    """Read the orders; die `before` or after the call of `name` with this number, by which something is committed."""
    os.environ.update(environment)
    calls = iter(range(10**9))

    def dying(whole: Callable[..., Any]) -> Callable[..., None]:
        def commit(*arguments: Any, **named: Any) -> None:
            is_last = next(calls) == number
            if is_last and before:
                os.kill(os.getpid(), signal.SIGKILL)
            whole(*arguments, **named)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)

        return commit

    for module in (sys.modules[receive.__module__], kept):
        if hasattr(module, name):
            setattr(module, name, dying(getattr(module, name)))
    reading.fetch(open_platform(), "eu", "orders")
