"""Whether this process works: a heartbeat in, `/healthz`, `/readyz` and `/metrics` out.

Separate from the loop because it must answer when the loop does not: it runs on its own threads,
takes nothing but plain callables, and never waits for the loop. `/healthz` is false when a
heartbeat stops (restart me), `/readyz` while something outside is missing (wait for me).
"""

from __future__ import annotations

import json
import socket
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

from prometheus_client.exposition import choose_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry

CONNECTION_TIMEOUT_S: Final = 5.0
"""A client that sends nothing for so long is hung up on."""

CONNECTIONS: Final = 32
"""Connections served at a time; more are hung up on, so that nobody can pile up threads."""

SHUTDOWN_POLL_S: Final = 0.05
_JSON: Final = "application/json"


class Heartbeat:
    """What a loop beats to show that it turns.

    Parameters
        limit_s: the longest time between two beats of a loop that lives.
        clock: monotonic seconds.
    """

    __slots__ = ("_clock", "_last", "limit_s")

    def __init__(self, limit_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit_s = limit_s
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """Say that the loop turns; costs a clock reading."""
        self._last = self._clock()

    @property
    def age_s(self) -> float:
        """Time since the last beat, or since this was made."""
        return self._clock() - self._last

    @property
    def alive(self) -> bool:
        """Whether the last beat is recent enough."""
        return self.age_s <= self.limit_s


class HealthServer:
    """Answers on ``host:port`` from construction until `close`.

    Parameters
        port: 0 takes any free one; `port` tells which.
        heartbeats: by name; all must be alive for `/healthz` to answer 200.
        checks: by name; each answers None or the reason why the process is not ready, and must
            not block. All must answer None for `/readyz` to answer 200. One that raises counts as
            a reason.

    Raises
        OSError: the address cannot be listened on; the command line reports it.
    """

    __slots__ = ("_server", "_thread")

    def __init__(
        self,
        host: str,
        port: int,
        registry: CollectorRegistry,
        heartbeats: Mapping[str, Heartbeat],
        checks: Mapping[str, Callable[[], str | None]],
    ) -> None:
        self._server = _Server(host, port, _Pages(registry, heartbeats, checks))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(SHUTDOWN_POLL_S,), name="health", daemon=True
        )
        self._thread.start()

    @property
    def host(self) -> str:
        """The address listened on."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop answering; connections are finished, the port is free when this returns."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Pages:
    """The three answers: status, content type and body."""

    __slots__ = ("_checks", "_heartbeats", "_registry")

    def __init__(
        self,
        registry: CollectorRegistry,
        heartbeats: Mapping[str, Heartbeat],
        checks: Mapping[str, Callable[[], str | None]],
    ) -> None:
        self._registry = registry
        self._heartbeats = heartbeats
        self._checks = checks

    def answer(self, path: str, accept: str) -> tuple[HTTPStatus, str, bytes]:
        """Return the page at ``path``."""
        if path == "/metrics":
            encode, content_type = choose_encoder(accept)
            return HTTPStatus.OK, content_type, encode(self._registry)
        if path == "/healthz":
            return self._health()
        if path == "/readyz":
            return self._readiness()
        return _json(HTTPStatus.NOT_FOUND, {"pages": ["/metrics", "/healthz", "/readyz"]})

    def _health(self) -> tuple[HTTPStatus, str, bytes]:
        beats = {
            name: {"alive": beat.alive, "age_s": round(beat.age_s, 3), "limit_s": beat.limit_s}
            for name, beat in self._heartbeats.items()
        }
        healthy = all(beat["alive"] for beat in beats.values())
        return _json(_status(healthy), {"healthy": healthy, "heartbeats": beats})

    def _readiness(self) -> tuple[HTTPStatus, str, bytes]:
        reasons = {name: _reason(check) for name, check in self._checks.items()}
        ready = not any(reasons.values())
        checks = {name: reason or "ok" for name, reason in reasons.items()}
        return _json(_status(ready), {"ready": ready, "checks": checks})


def _reason(check: Callable[[], str | None]) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that fails is a reason, not a crash
        return f"the check failed: {type(error).__name__}"


def _status(good: bool) -> HTTPStatus:
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE


def _json(status: HTTPStatus, body: Mapping[str, Any]) -> tuple[HTTPStatus, str, bytes]:
    return status, _JSON, json.dumps(body).encode() + b"\n"


class _Server(ThreadingTCPServer):
    """The standard library's server, bounded (it is made to be inherited from)."""

    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def __init__(self, host: str, port: int, pages: _Pages) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.pages = pages
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((host, port), _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        """Take a connection only while there is room; the caller hangs up otherwise."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection on its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that went away; nothing here holds state."""


class _Handler(BaseHTTPRequestHandler):
    """One request, one answer, connection closed (HTTP/1.0)."""

    timeout = CONNECTION_TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        """Answer with the page."""
        path = urlsplit(self.path).path
        status, content_type, body = self.server.pages.answer(path, self.headers.get("Accept", ""))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def version_string(self) -> str:
        """Tell no versions."""
        return "trailwarden"

    def log_message(self, *_: Any) -> None:
        """Log no requests: probes come every second."""
