"""Ports for servers of a sample."""

import random
import socket
from contextlib import closing

FROM, TO = 10_000, 30_000
"""Below those that a system gives to whoever connects (from 32768 on): one of these may be taken at any moment."""


def free_port() -> int:
    """A port of this machine on which nobody listens, nor on the next."""
    while True:
        port = random.randrange(FROM, TO)
        if _is_free(port) and _is_free(port + 1):
            return port


def _is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
