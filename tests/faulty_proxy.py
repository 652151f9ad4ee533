"""A proxy before a real Elasticsearch node that answers bulks as a bad day would.

Requests go in; what comes out is the node's answer, or a fault drawn by seed. Everything but bulks
passes. Separate because what matters cannot be seen without a real node behind it: a request that
was carried out and whose answer is lost.

    with FaultyProxy(elasticsearch_url, {Fault.LOST: 0.3, Fault.BUSY: 0.2}, seed=1) as proxy:
        BulkWriter(connect(proxy.url, timeout_s=0.5), ...)
        proxy.calm()
"""

from __future__ import annotations

import http.client
import json
import sys
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType


class Fault(StrEnum):
    """What happens to a bulk request. What is not NONE, ITEMS or past LOST is not carried out."""

    NONE = "none"
    BUSY = "429"
    UNAVAILABLE = "503"
    BAD_GATEWAY = "502"
    GATEWAY_TIMEOUT = "504"
    TOO_LARGE = "413"
    BAD_REQUEST = "400"
    RESET = "the connection is dropped before anything is done"
    ITEMS = "some documents are refused with 429 or 503, the others written"
    LOST = "all is written, then the connection is dropped"
    LATE = "all is written, the answer comes after the client's patience"
    GARBAGE = "all is written, the answer is a page of HTML with status 200"
    SHORT = "all is written, the answer lacks the last document"


_STATUSES = {fault: int(fault.value) for fault in Fault if fault.value.isdigit()}
_ITEM_SHARE = 0.3
_LINES_EACH = 2
_ITEM_ERRORS = (
    (429, "es_rejected_execution_exception"),
    (429, "cluster_block_exception"),
    (503, "unavailable_shards_exception"),
)


@dataclass(frozen=True, slots=True)
class _Upstream:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class FaultyProxy:
    """An HTTP server on a free port of loopback; a context manager.

    ``shares`` gives each fault its part of the bulks, the rest passes. ``seen`` counts what was
    done. A LATE answer is held until the client hangs up or the proxy ends.
    """

    def __init__(self, upstream: str, shares: Mapping[Fault, float], seed: int) -> None:
        self.seen: Counter[Fault] = Counter()
        self._shares = dict(shares)
        self._random = Random(seed)
        self._lock = Lock()
        self.closing = Event()
        self.upstream = urlsplit(upstream).netloc
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def calm(self) -> None:
        """Let everything pass from now on."""
        with self._lock:
            self._shares.clear()

    def draw(self, lines: int) -> Fault:
        """Return what happens to the next bulk, and count it; one document is never too large."""
        with self._lock:
            point = self._random.random()
            fault = Fault.NONE
            for one, share in self._shares.items():
                point -= share
                if point < 0:
                    fault = one
                    break
            if fault in {Fault.TOO_LARGE, Fault.BAD_REQUEST} and lines <= _LINES_EACH:
                fault = Fault.NONE
            self.seen[fault] += 1
            return fault

    def refuse_item(self) -> tuple[int, str] | None:
        """Return how one document is refused, None if it is written."""
        with self._lock:
            if self._random.random() >= _ITEM_SHARE:
                return None
            return self._random.choice(_ITEM_ERRORS)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: FaultyProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent of clients that went away; anything else is a fault of a test."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing: a test that wants to know reads `FaultyProxy.seen`."""

    def do_GET(self) -> None:
        """Let the node answer, or draw a fault."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.server.proxy.draw(body.count(b"\n")) if "/_bulk" in self.path else Fault.NONE
        if fault in _STATUSES:
            self._answer(_STATUSES[fault], json.dumps({"error": fault.value}).encode())
        elif fault is Fault.RESET:
            self._drop()
        elif fault is Fault.ITEMS:
            self._some(body)
        else:
            self._after(fault, self._forward(body))

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - the library's names

    def _after(self, fault: Fault, upstream: _Upstream) -> None:
        """Answer, or fail to, when the node has done its part."""
        if fault is Fault.LATE:
            self.server.proxy.closing.wait()
        if fault in {Fault.LOST, Fault.LATE}:
            self._drop()
        elif fault is Fault.GARBAGE:
            self._answer(200, b"<html>Something went wrong</html>")
        elif fault is Fault.SHORT:
            found = json.loads(upstream.body)
            found["items"] = found.get("items", [])[:-1]
            self._answer(200, json.dumps(found).encode())
        else:
            self._answer(upstream.status, upstream.body, upstream.headers)

    def _some(self, body: bytes) -> None:
        """Forward only some of the documents, and word an answer for all."""
        lines = body.rstrip(b"\n").split(b"\n")
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        refused = [self.server.proxy.refuse_item() for _ in pairs]
        passed = b"".join(
            line + b"\n"
            for pair, refusal in zip(pairs, refused, strict=True)
            if refusal is None
            for line in pair
        )
        done = iter(json.loads(self._forward(passed).body)["items"] if passed else ())
        items = [next(done) if refusal is None else _refusal(*refusal) for refusal in refused]
        self._answer(200, json.dumps({"items": items}).encode())

    def _forward(self, body: bytes) -> _Upstream:
        connection = http.client.HTTPConnection(self.server.proxy.upstream, timeout=60)
        try:
            headers = {
                k: v for k, v in self.headers.items() if k.lower() in {"content-type", "accept"}
            }
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            skipped = {"content-length", "transfer-encoding", "connection"}
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in skipped]
            return _Upstream(answer.status, kept, answer.read())
        finally:
            connection.close()

    def _answer(
        self, status: int, body: bytes, headers: list[tuple[str, str]] | None = None
    ) -> None:
        self.send_response(status)
        product = ("X-Elastic-Product", "Elasticsearch")
        for name, value in headers or [("Content-Type", "application/json"), product]:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.close()


def _refusal(status: int, kind: str) -> dict[str, Any]:
    return {"create": {"status": status, "error": {"type": kind, "reason": "scripted"}}}
