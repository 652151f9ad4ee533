"""A webhook on a loopback port with a producer that does as it is told, and a plain client."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPResponse
from pathlib import Path
from typing import Self

from ingest.collectors.counts import CollectorCounts
from ingest.collectors.http_connections import listen
from ingest.collectors.http_limits import HttpLimits
from ingest.collectors.intake import AUDIT, Intake
from ingest.collectors.producer import ProducerFailedError, ProducerFullError
from ingest.collectors.webhook import WebhookOptions
from ingest.collectors.webhook_auth import Senders
from ingest.collectors.webhook_service import ServiceOptions, Surroundings, WebhookService
from ingest.envelope import Envelope, Format

Answer = Callable[[str | None], None]
DEADLINE_S = 10.0


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something holds."""
    end = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < end, f"still not: {what}"
        time.sleep(0.005)


class FakeProducer:
    """Keeps what it is sent; answers unless it is held, full, or failing."""

    def __init__(self) -> None:
        self.sent: list[tuple[Envelope, bytes]] = []
        self.room = 1_000_000
        self.failing: Callable[[bytes], bool] = lambda _: False
        self.gone = False
        self.bug: Exception | None = None
        self._held = False
        self._waiting: deque[tuple[bytes, Answer]] = deque()
        self._changed = threading.Condition()

    @property
    def events(self) -> list[bytes]:
        return [value for envelope, value in self.sent if envelope.format is not Format.CANARY]

    @property
    def clusters(self) -> list[str]:
        return [envelope.cluster for envelope, _ in self.sent]

    def hold(self) -> None:
        """Answer nothing until released."""
        with self._changed:
            self._held = True

    def release(self) -> None:
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        if self.bug is not None:
            raise self.bug
        if self.gone:
            raise ProducerFailedError("fenced")
        if len(self.sent) >= self.room:
            raise ProducerFullError("full")
        with self._changed:
            self.sent.append((envelope, value))
            self._waiting.append((value, on_delivery))
            self._changed.notify_all()

    def poll(self, timeout_s: float) -> None:
        if self.gone:
            raise ProducerFailedError("fenced")
        with self._changed:
            self._changed.wait_for(lambda: self._waiting and not self._held, timeout_s)
            self._answer()

    def flush(self, timeout_s: float) -> int:
        with self._changed:
            self._changed.wait_for(lambda: not (self._waiting and self._held), timeout_s)
            self._answer()
            return len(self._waiting)

    def _answer(self) -> None:
        while self._waiting and not self._held:
            value, on_delivery = self._waiting.popleft()
            on_delivery("MSG_TIMED_OUT" if self.failing(value) else None)


@dataclass(slots=True)
class RunningWebhook:
    """A service in a thread of its own, from `with` to its end."""

    senders: Senders = field(default_factory=lambda: Senders(None, certificates=False))
    tls: ssl.SSLContext | None = None
    limits: HttpLimits = field(default_factory=HttpLimits)
    acknowledge_s: float = 5.0
    canary_interval_s: float = 0.0
    stop_s: float = 5.0
    spool: Path = Path("unused")
    intake: Intake = AUDIT
    producer: FakeProducer = field(default_factory=FakeProducer)
    counts: CollectorCounts = field(default_factory=CollectorCounts)
    bugs: list[Exception] = field(default_factory=list)
    beats: list[float] = field(default_factory=list)
    kafka_missing: str | None = None
    told_missing: list[str | None] = field(default_factory=list)
    port: int = 0
    unacknowledged: int | None = None
    failure: BaseException | None = None
    service: WebhookService | None = None
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        until(lambda: self.beats, "started")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self.begin_stop()
        assert self._thread is not None
        self._thread.join(DEADLINE_S * 2)
        assert not self._thread.is_alive()

    def begin_stop(self) -> None:
        assert self._loop is not None
        assert self._stop is not None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)

    def call(self, function: Callable[[], object]) -> None:
        """Run something in the service's loop."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function)

    def not_ready(self) -> str | None:
        assert self.service is not None
        return self.service.not_ready()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.service = WebhookService(
            producer=self.producer,
            senders=self.senders,
            tls=self.tls,
            counts=self.counts,
            options=ServiceOptions(
                WebhookOptions("collector-1", self.spool, self.acknowledge_s, self.intake),
                self.limits,
                self.canary_interval_s,
                self.stop_s,
            ),
            around=Surroundings(
                lambda: self.beats.append(time.monotonic()),
                self.bugs.append,
                lambda _: self.kafka_missing,
                self.told_missing.append,
            ),
        )
        try:
            self.unacknowledged = await self.service.run(listener, self._stop)
        except ProducerFailedError as error:
            self.failure = error


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


def connect(
    port: int, tls: ssl.SSLContext | None = None, timeout_s: float = DEADLINE_S
) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout_s, context=tls)


def post(
    webhook: RunningWebhook,
    body: bytes,
    path: str = "/audit/prod",
    headers: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    method: str = "POST",
) -> Reply:
    connection = connect(webhook.port, tls)
    try:
        connection.request(method, path, body, dict(headers or {}))
        return read(connection.getresponse())
    finally:
        connection.close()


def read(response: HTTPResponse) -> Reply:
    return Reply(response.status, dict(response.headers), response.read())


def event_list(*events: bytes) -> bytes:
    return (
        b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
        + b",".join(events)
        + b"]}\n"
    )


def events(count: int, text: str = "") -> list[bytes]:
    return [
        f'{{"auditID":"a-{number}","stage":"ResponseComplete", "note": "{text}"}}'.encode()
        for number in range(count)
    ]


def post_later(send: Callable[[], Reply]) -> tuple[threading.Thread, list[Reply]]:
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(send()))
    thread.start()
    return thread, replies


def raw(webhook: RunningWebhook, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    return answer
