"""Ports of loopback: is one free, which one is."""

from __future__ import annotations

import random
import socket
from typing import Final

from worker.services.errors import ServiceError

LOOPBACK: Final = "127.0.0.1"
# Below Linux' range for outgoing connections (ip_local_port_range: 32768 and above).
SERVER_PORTS: Final = (20_000, 32_000)


def free_port() -> int:
    """Return a port that nobody listens on now.

    Not one that the system gives to outgoing connections: such a connection could take it while
    the server that owns it is being restarted.
    """
    choice = random.SystemRandom()
    while True:
        port = choice.randrange(*SERVER_PORTS)
        if _refusal(port) is None:
            return port


def require_free(port: int, name: str) -> None:
    """Refuse a port that is taken.

    Raises
        ServiceError: somebody listens there.
    """
    if (refusal := _refusal(port)) is not None:
        raise ServiceError(
            f"port {port} for {name}: {refusal}; choose another, or name the server that runs there"
        )


def _refusal(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error.strerror
    return None
