"""Addresses on which servers listen."""

from clearer_platform.errors import ClearerError


def url(host: str, port: int) -> str:
    """Where a server on this address answers."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def free(host: str, port: int, option: str) -> None:
    """Raise ClearerError, which names the `option` that chooses another, where nothing can listen on this address."""
    import socket

    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(found[0], socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as e:
        raise ClearerError(
            f"cannot listen on {host}:{port}: {e.strerror}", hint=f"choose another with {option}"
        ) from None
