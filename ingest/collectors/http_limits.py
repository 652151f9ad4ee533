"""How much of everything one sender, and all of them together, may use.

Separate because connections, bodies and requests share these numbers, and because the sum of bytes
held is one value that all requests take from.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ingest.collectors.refusal import Refusal, RequestRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Limits of the server.

    ``body_bytes``: one body, as sent and unpacked. ``opening_s``: TLS handshake and the first
    request's headers. ``body_s``: one body; the API server itself gives up after 30 s.
    ``idle_s``: between requests; longer than Go's 90 s, so that the client closes first and no
    request meets a closing connection. ``linger_s``: reading on after a refusal, so that the
    client sees the answer. ``connections``: open ones; beyond it the longest idle one is closed.
    One TLS connection costs about 0.3 MB (asyncio's buffer).
    """

    body_bytes: int = 16 << 20
    connections: int = 256
    opening_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 120.0
    linger_s: float = 2.0

    @property
    def held_bytes(self) -> int:
        """Most bytes of bodies in work at one time: room for two of the largest."""
        return 2 * self.body_bytes


class HeldBytes:
    """Bytes of all bodies that are being read or wait for Kafka."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int) -> None:
        """Allow ``limit`` bytes together."""
        self._limit = limit
        self.held = 0

    @contextmanager
    def share(self) -> Iterator[HeldShare]:
        """Count one body's bytes; they are given back at the end."""
        share = HeldShare(self)
        try:
            yield share
        finally:
            self.held -= share.held

    def take(self, size_bytes: int) -> None:
        """Take more, or raise `RequestRefusedError`: the sender is to come again."""
        if self.held + size_bytes > self._limit:
            raise RequestRefusedError(Refusal.MEMORY)
        self.held += size_bytes


class HeldShare:
    """What one body has taken."""

    __slots__ = ("_all", "held")

    def __init__(self, held_bytes: HeldBytes) -> None:
        """Begin with nothing."""
        self._all = held_bytes
        self.held = 0

    def take(self, size_bytes: int) -> None:
        """Take more, or raise `RequestRefusedError`."""
        self._all.take(size_bytes)
        self.held += size_bytes
