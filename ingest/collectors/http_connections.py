"""A listening socket in, requests handed to an answering function out, strangers kept at bay.

Separate because aiohttp's own way of listening counts a connection only when its TLS handshake is
done and waits as long as a client likes for the first headers: 500 clients that say nothing would
hold everything. Here each accepted socket is known from its first moment, must say something within
a deadline, and is the one to go when there are too many and it has been idle longest.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

import aiohttp.web_response
from aiohttp import web

from ingest.collectors.refusal import Refusal

if TYPE_CHECKING:
    import ssl

    from aiohttp.web_protocol import RequestHandler

    from ingest.collectors.http_limits import HttpLimits

Answer = Callable[[web.BaseRequest, Callable[[], None]], Awaitable[web.Response]]
"""Answers a request; calls the function when its body is read and only Kafka is waited for."""

SERVER: str = "trailwarden"
"""What the `Server` header says: no versions."""

_ACCEPT_PAUSE_S = 0.05
_BACKLOG = 512
_ABANDON_S = 0.1
_OK = 200
_LATER = frozenset({429, 503})


class _State(Enum):
    SILENT = auto()
    IDLE = auto()
    READING = auto()
    WORKING = auto()


@dataclass(slots=True, eq=False)
class _Connection:
    handler: RequestHandler
    socket: socket.socket | None
    since_s: float
    state: _State = _State.SILENT
    spoke: asyncio.Event = field(default_factory=asyncio.Event)
    opening: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self.handler.connected or (self.opening is not None and not self.opening.done())

    def drop(self) -> None:
        """Close at once, whatever it is doing; nothing is sent."""
        if self.opening is not None:
            self.opening.cancel()
        if self.socket is not None:
            self.socket.close()
            self.socket = None
        if self.handler.transport is not None:
            self.handler.transport.abort()


class Connections:
    """Accepts connections and keeps their number and their idleness within limits."""

    __slots__ = (
        "_answer",
        "_limits",
        "_on_refused",
        "_open",
        "_quiet",
        "_server",
        "_stopping",
        "_tls",
    )

    def __init__(
        self,
        answer: Answer,
        limits: HttpLimits,
        tls: ssl.SSLContext | None,
        on_refused: Callable[[Refusal], None],
    ) -> None:
        """Prepare within a running loop; ``on_refused`` hears of connections closed unanswered."""
        # The answers that aiohttp gives itself (400 to what is no HTTP) take their header here.
        aiohttp.web_response.SERVER_SOFTWARE = SERVER  # type: ignore[attr-defined]  # no other way
        self._answer, self._limits, self._tls = answer, limits, tls
        self._on_refused = on_refused
        self._open: dict[RequestHandler, _Connection] = {}
        self._stopping = False
        self._quiet = asyncio.Event()
        self._server = web.Server(
            self._handle,
            access_log=None,
            logger=_silent_logger(),
            auto_decompress=False,
            keepalive_timeout=limits.idle_s,
            lingering_time=limits.linger_s,
            max_headers=64,
        )

    async def accept(self, listener: socket.socket) -> None:
        """Accept connections of a non-blocking listening socket until cancelled."""
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        # Not `sock_accept`: where that is cancelled, a connection that just came stays open unseen.
        loop.add_reader(listener, ready.set)
        try:
            while True:
                await ready.wait()
                ready.clear()
                try:
                    accepted, _ = listener.accept()
                except (BlockingIOError, ConnectionAbortedError):
                    continue
                except OSError:  # no descriptor left
                    await asyncio.sleep(_ACCEPT_PAUSE_S)
                    continue
                accepted.setblocking(False)
                self._admit(accepted)
        finally:
            loop.remove_reader(listener)

    async def close(self, timeout_s: float) -> None:
        """Finish the requests that have begun, at most so long, and close everything."""
        self._stopping = True
        for connection in self._open.values():
            if connection.state in {_State.SILENT, _State.IDLE}:
                connection.drop()
        try:
            async with asyncio.timeout(timeout_s):
                while self._busy():
                    self._quiet.clear()
                    await self._quiet.wait()
        except TimeoutError:
            pass
        self._server.pre_shutdown()
        await self._server.shutdown(_ABANDON_S)
        for connection in self._open.values():
            connection.drop()

    def _busy(self) -> bool:
        states = {_State.READING, _State.WORKING}
        return any(c.alive and c.state in states for c in self._open.values())

    def _admit(self, accepted: socket.socket) -> None:
        if len(self._open) >= self._limits.connections and not self._make_room():
            accepted.close()
            self._on_refused(Refusal.CONNECTIONS)
            return
        handler = self._server()
        connection = _Connection(handler, accepted, asyncio.get_running_loop().time())
        self._open[handler] = connection
        connection.opening = asyncio.create_task(self._begin(connection, accepted))

    def _make_room(self) -> bool:
        """Forget what is closed; if that is nothing, close who was silent, else idle, longest."""
        self._open = {handler: c for handler, c in self._open.items() if c.alive}
        if len(self._open) < self._limits.connections:
            return True
        waiting = [c for c in self._open.values() if c.state is not _State.WORKING]
        if not waiting:
            return False
        longest = min(waiting, key=lambda c: (c.state is not _State.SILENT, c.since_s))
        longest.drop()
        del self._open[longest.handler]
        self._on_refused(Refusal.CONNECTIONS)
        return True

    async def _begin(self, connection: _Connection, accepted: socket.socket) -> None:
        """Do the TLS handshake, and see to it that a request follows."""
        limits, tls = self._limits, self._tls
        connection.socket = None  # from here on the transport owns it
        try:
            async with asyncio.timeout(limits.opening_s):
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: connection.handler,
                    accepted,
                    ssl=tls,
                    ssl_handshake_timeout=None if tls is None else limits.opening_s,
                    ssl_shutdown_timeout=None if tls is None else limits.linger_s,
                )
                await connection.spoke.wait()
        except TimeoutError:
            self._on_refused(Refusal.SLOW)
            if connection.handler.transport is not None:
                connection.handler.transport.abort()
        except OSError:  # ssl.SSLError is one
            self._on_refused(Refusal.TLS)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        connection = self._open.get(request.protocol)
        if connection is None:  # closed for room while its request was already parsed
            request.protocol.force_close()
            return web.Response(status=503)
        connection.spoke.set()
        self._mark(connection, _State.READING)
        try:
            response = await self._answer(request, lambda: self._mark(connection, _State.WORKING))
        finally:
            self._mark(connection, _State.IDLE)
            if not self._busy():
                self._quiet.set()
        if self._stopping or response.status not in {_OK, *_LATER}:
            response.force_close()
        return response

    @staticmethod
    def _mark(connection: _Connection, state: _State) -> None:
        connection.state = state
        connection.since_s = asyncio.get_running_loop().time()


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.setblocking(False)
    return listener


def _silent_logger() -> logging.Logger:
    """Return a logger that says nothing: aiohttp's messages hold pieces of requests."""
    logger = logging.Logger(__name__)  # noqa: LOG001 - of its own, so that nobody turns it on
    logger.disabled = True
    return logger
