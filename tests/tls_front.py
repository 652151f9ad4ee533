"""TLS and rights in front of a real Elasticsearch node that has neither.

HTTPS requests go in; 401 and 403 come out as the security plugin words them, everything else is
the real node's answer. Separate because the node that runs from pip alone has no security plugin.

    with TlsFront(elasticsearch_url, authority.issue("node"), [Account("worker", "pw")]) as front:
        Elasticsearch(front.url, ca_certs=str(authority.ca_file), basic_auth=("worker", "pw"))
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import sys
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.elasticsearch_rights import AUTO_CREATE, BULK_OPERATIONS, CLUSTER, Demand, demand

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable, Iterator
    from types import TracebackType

    from tests.authority import Issued

HANDSHAKE_S = 5.0
Item = tuple[str, str, Demand]
CHALLENGES = ['Basic realm="security", charset="UTF-8"', 'Bearer realm="security"', "ApiKey"]
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "authorization"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user with a password, or an API key ``id:secret``, and what it may do."""

    name: str
    password: str | None = None
    api_key: str | None = None
    cluster: frozenset[str] = frozenset({"all"})
    index: frozenset[str] = frozenset({"all"})
    index_prefix: str = ""

    @property
    def encoded_api_key(self) -> str:
        """Return the API key as clients send it."""
        return base64.b64encode((self.api_key or "").encode()).decode()

    @property
    def headers(self) -> list[str]:
        """Return the values of ``Authorization`` that are this account."""
        basic = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        known = [] if self.password is None else [f"Basic {basic}"]
        return known if self.api_key is None else [*known, f"ApiKey {self.encoded_api_key}"]

    def may(self, needed: Demand, indices: Iterable[str]) -> bool:
        """Tell whether the account may do it, to indices of its own where some are named."""
        if needed.scope == CLUSTER:
            return bool(self.cluster & set(needed.privileges))
        own = all(index.startswith(self.index_prefix) for index in indices)
        return own and bool(self.index & set(needed.privileges))


@dataclass(slots=True)
class Seen:
    """What came in: requests as ``METHOD path``, refusals by status, handshakes that failed."""

    requests: list[str] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    failed_handshakes: list[str] = field(default_factory=list)


class TlsFront:
    """An HTTPS server on a free port of loopback; a context manager."""

    def __init__(
        self,
        upstream: str,
        certificate: Issued,
        accounts: list[Account],
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self.seen = Seen()
        self._server = _Server(context, urlsplit(upstream).netloc, accounts, self.seen)
        self.port: int = self._server.server_address[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def revoke(self, account: Account) -> None:
        """Know an account no more: who comes as it is answered 401 from now on."""
        for header in account.headers:
            self._server.accounts.pop(header, None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self, context: ssl.SSLContext, upstream: str, accounts: list[Account], seen: Seen
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream, self.seen = upstream, seen
        self.accounts = {header: account for account in accounts for header in account.headers}
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, so that a slow client holds up nobody."""
        plain: socket.socket = request
        plain.settimeout(HANDSHAKE_S)
        with self._context.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        ) as encrypted:
            try:
                encrypted.do_handshake()
            except OSError as error:  # an SSLError is one
                self.seen.failed_handshakes.append(str(error))
                return
            encrypted.settimeout(None)
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent of clients that went away; anything else is a fault of a test."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Nothing: a test that wants to know reads `TlsFront.seen`."""

    def do_POST(self) -> None:
        """Check who asks and what for, then let the real node answer."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.server.seen.requests.append(f"{self.command} {path}")
        account = self.server.accounts.get(self.headers.get("Authorization") or "")
        if account is None:
            self._refuse_stranger()
        elif not account.may(needed := demand(self.command, path), _indices_of(path)):
            self._refuse(403, _unauthorized(needed, account))
        elif denied := self._denied_items(account, path, body):
            self._answer_denied_items(denied, account)
        else:
            self._forward(body)

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - http.server's names

    def _denied_items(self, account: Account, path: str, body: bytes) -> list[Item]:
        """Return each item of a bulk request if one of them is denied: none of them is then done.

        The security plugin denies item by item; that all are answered 403 keeps the front small,
        and a client has the same thing to do.
        """
        if not path.endswith("_bulk"):
            return []
        items = list(_items(body))
        if not all(account.may(needed, [index]) for _, index, needed in items):
            return items
        absent = [index for _, index, _ in items if not account.may(AUTO_CREATE, [index])]
        if all(self._exists(index) for index in set(absent)):
            return []
        return [(operation, index, AUTO_CREATE) for operation, index, _ in items]

    def _exists(self, index: str) -> bool:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            upstream.request("HEAD", f"/{index}")
            return upstream.getresponse().status == http.client.OK
        finally:
            upstream.close()

    def _forward(self, body: bytes) -> None:
        sent = {k: v for k, v in self.headers.items() if k.lower() not in _HOP}
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        try:
            upstream.request(self.command, self.path, body or None, sent)
            answer = upstream.getresponse()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP]
            self._answer(answer.status, kept, answer.read())
        finally:
            upstream.close()

    def _refuse_stranger(self) -> None:
        given = self.headers.get("Authorization")
        at = f"for REST request [{self.path}]"
        reason = f"missing authentication credentials {at}"
        if given and given.startswith("Basic "):
            user = base64.b64decode(given[6:]).decode(errors="replace").partition(":")[0]
            reason = f"unable to authenticate user [{user}] {at}"
        elif given:
            reason = (
                "unable to authenticate with provided credentials and anonymous access is not"
                f" allowed {at}"
            )
        self._refuse(401, reason, challenge=True)

    def _refuse(self, status: int, reason: str, *, challenge: bool = False) -> None:
        self.server.seen.refused.append(status)
        cause: dict[str, Any] = {"type": "security_exception", "reason": reason}
        if challenge:
            cause["header"] = {"WWW-Authenticate": CHALLENGES}
        document = {"error": {"root_cause": [cause], **cause}, "status": status}
        headers = [("WWW-Authenticate", c) for c in CHALLENGES] if challenge else []
        self._answer(status, _json(headers), json.dumps(document).encode())

    def _answer_denied_items(self, items: list[Item], account: Account) -> None:
        answers = [
            {
                operation: {
                    "_index": index,
                    "_id": None,
                    "status": 403,
                    "error": {
                        "type": "security_exception",
                        "reason": _unauthorized(needed, account),
                    },
                }
            }
            for operation, index, needed in items
        ]
        self.server.seen.refused.extend([403] * len(items))
        document = {"took": 0, "errors": True, "items": answers}
        self._answer(200, _json([]), json.dumps(document).encode())

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _json(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    kind = "application/vnd.elasticsearch+json;compatible-with=9"
    return [*headers, ("X-elastic-product", "Elasticsearch"), ("Content-Type", kind)]


def _indices_of(path: str) -> list[str]:
    parts = path.strip("/").removeprefix("_resolve/index/").split("/")
    return [] if parts[0].startswith("_") else [name for name in parts[0].split(",") if name]


def _items(body: bytes) -> Iterator[Item]:
    lines = iter(body.splitlines())
    for line in lines:
        (operation, where), *_ = json.loads(line).items()
        yield operation, where.get("_index", ""), BULK_OPERATIONS[operation]
        if operation != "delete":
            next(lines)


def _unauthorized(needed: Demand, account: Account) -> str:
    kind = "API key id" if account.api_key else "user"
    return (
        f"action [{needed.action}] is unauthorized for {kind} [{account.name}] with effective"
        f" roles [{account.name}], this action is granted by the {needed.scope} privileges"
        f" [{','.join(needed.privileges)}]"
    )
