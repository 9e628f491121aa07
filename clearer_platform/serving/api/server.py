"""Running the service, until it is asked to end: `clearer api` and the process that `clearer up` starts."""

import socket
from collections.abc import Callable

import uvicorn

from clearer_platform.platform import Platform
from clearer_platform.serving.api.app import create_app

HEADER_BYTES = 16_384
"""Of all headers of a request together."""
KEEP_ALIVE = 15
"""Seconds for which a connection may be idle."""


class _Server(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def serve(platform: Platform, host: str, port: int, ready: Callable[[], None] = lambda: None) -> None:
    """Answer requests on this address; `ready` is called once it does. A signal ends it gently.

    Raises RolesError before anything listens.
    """
    config = uvicorn.Config(
        create_app(platform),
        host=host,
        port=port,
        http="h11",
        ws="none",
        loop="asyncio",
        log_level="warning",
        access_log=False,  # Its lines hold paths as clients write them; refused requests stand in the audit log.
        server_header=False,
        proxy_headers=False,  # Anybody can write them: limits and audit go by the connection's own address.
        h11_max_incomplete_event_size=HEADER_BYTES,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=int(platform.settings.api_timeout) + 1,
    )
    _Server(config, ready).run()
