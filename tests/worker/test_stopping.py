"""F20 on a real broker with short limits: what stops is told of, without Elasticsearch."""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from ingest.collectors.canary import canary_record
from ingest.envelope import Format, headers_of, read_envelope
from sinks.notify import Notifier
from worker.health import HealthServer, Heartbeat
from worker.metrics import metrics_registry, notifier_samples
from worker.silence import SilenceWatch

pytestmark = pytest.mark.integration

TIMEOUT_S = 20.0
SILENCE_S = 1.0
BEAT_S = 0.5


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": kafka})
    name = f"f-stop-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    yield name
    admin.delete_topics([name])[name].result(20)


@pytest.fixture
def hook() -> Iterator[tuple[str, queue.Queue[Any]]]:
    """Give a webhook's address and what it is sent."""
    bodies: queue.Queue[Any] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    thread.join()
    server.server_close()


class Sources:
    """Send canaries of each source every tenth of a second until told to stop."""

    def __init__(self, kafka: str, topic: str, names: list[str]) -> None:
        self.alive = set(names)
        self._producer = Producer({"bootstrap.servers": kafka})
        self._topic = topic
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            for name in sorted(self.alive):
                envelope, value = canary_record("prod", "host", name, datetime.now(UTC), True)
                headers: Any = headers_of(envelope)
                self._producer.produce(self._topic, value, "prod", headers=headers)
            self._producer.poll(0)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush(TIMEOUT_S)


class Loop:
    """The part of a worker's loop that matters here: poll, observe, beat, tell."""

    def __init__(self, kafka: str, topic: str, notifier: Notifier, heartbeat: Heartbeat) -> None:
        self._consumer = Consumer(
            {"bootstrap.servers": kafka, "group.id": topic, "auto.offset.reset": "earliest"}
        )
        self._consumer.subscribe([topic])
        self._notifier, self._heartbeat = notifier, heartbeat
        self.knows_both = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        watch = SilenceWatch(SILENCE_S, time.monotonic())
        while not self._stop.is_set():
            for message in self._consumer.consume(100, 0.05):
                envelope = read_envelope(message.headers(), message.key(), 0)  # type: ignore[arg-type]
                if envelope.format is Format.CANARY:
                    source = envelope.cluster, envelope.collector, envelope.source
                    if ended := watch.observe(source, envelope.received):
                        self._notifier.alarm(ended)
            for alarm in watch.due(time.monotonic(), reading=True):
                self._notifier.alarm(alarm)
            if len(watch) == 2:
                self.knows_both.set()
            self._heartbeat.beat()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._consumer.close()


def health(server: HealthServer) -> int:
    connection = HTTPConnection(server.host, server.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status
    finally:
        connection.close()


def await_health(server: HealthServer, status: int) -> float:
    began = time.monotonic()
    while health(server) != status:
        assert time.monotonic() - began < TIMEOUT_S
    return time.monotonic() - began


def test_each_source_and_the_loop_are_missed_in_time(
    kafka: str, topic: str, hook: tuple[str, queue.Queue[Any]]
) -> None:
    url, told = hook
    notifier = Notifier(url, None, None, "high")
    heartbeat = Heartbeat(BEAT_S)
    registry = metrics_registry("1", [lambda: notifier_samples(notifier)])
    sources = Sources(kafka, topic, ["a.log", "b.log"])
    loop = Loop(kafka, topic, notifier, heartbeat)
    try:
        with HealthServer("127.0.0.1", 0, registry, {"loop": heartbeat}, {}) as server:
            await_health(server, 200)
            assert loop.knows_both.wait(TIMEOUT_S)
            for name in ("a.log", "b.log"):
                sources.alive.discard(name)
                alarm = told.get(timeout=TIMEOUT_S)["alarm"]
                assert (alarm["name"], alarm["subject"]) == ("source-silent", f"host {name}")
                assert not alarm["resolved"]
            sources.alive.add("a.log")
            ended = told.get(timeout=TIMEOUT_S)["alarm"]
            assert (ended["subject"], ended["resolved"]) == ("host a.log", True)
            assert health(server) == 200
            loop.close()
            assert await_health(server, 503) < BEAT_S + 1.0
            labels = {"target": "webhook", "result": "sent"}
            sent = registry.get_sample_value("trailwarden_notifications_total", labels)
            assert sent == 3
    finally:
        sources.close()
        loop.close()
        assert notifier.close(TIMEOUT_S) == 0
