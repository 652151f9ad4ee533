"""Health, readiness and metrics over HTTP, and that the server can be hung up on."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from worker.health import CONNECTIONS, HealthServer, Heartbeat
from worker.metrics import metrics_registry


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def heartbeats(clock: Clock) -> dict[str, Heartbeat]:
    return {"loop": Heartbeat(10.0, clock), "detector": Heartbeat(10.0, clock)}


@pytest.fixture
def reasons() -> dict[str, str | None]:
    return {"kafka": None, "elasticsearch": None}


@pytest.fixture
def server(
    heartbeats: Mapping[str, Heartbeat], reasons: dict[str, str | None]
) -> Iterator[HealthServer]:
    checks = {
        "kafka": lambda: reasons["kafka"],
        "elasticsearch": lambda: reasons["elasticsearch"],
    }
    with HealthServer("127.0.0.1", 0, metrics_registry("1", []), heartbeats, checks) as server:
        yield server


def get(server: HealthServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = HTTPConnection(server.host, server.port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Content-Type", ""), answer.read()
    finally:
        connection.close()


def body(server: HealthServer, path: str) -> tuple[int, Any]:
    status, content_type, data = get(server, path)
    assert content_type == "application/json"
    return status, json.loads(data)


def test_it_is_healthy_while_all_hearts_beat(
    server: HealthServer, heartbeats: dict[str, Heartbeat], clock: Clock
) -> None:
    assert body(server, "/healthz")[0] == 200
    clock.now += 10.0
    assert body(server, "/healthz")[0] == 200
    clock.now += 0.1
    heartbeats["detector"].beat()
    status, answer = body(server, "/healthz")
    assert status == 503
    assert answer["healthy"] is False
    assert answer["heartbeats"]["loop"] == {"alive": False, "age_s": 10.1, "limit_s": 10.0}
    assert answer["heartbeats"]["detector"]["alive"] is True
    heartbeats["loop"].beat()
    assert body(server, "/healthz")[0] == 200


def test_it_is_ready_when_no_check_has_a_reason(
    server: HealthServer, reasons: dict[str, str | None]
) -> None:
    assert body(server, "/readyz") == (
        200,
        {"ready": True, "checks": {"kafka": "ok", "elasticsearch": "ok"}},
    )
    reasons["elasticsearch"] = "blocked: 429"
    status, answer = body(server, "/readyz?verbose")
    assert status == 503
    assert answer == {"ready": False, "checks": {"kafka": "ok", "elasticsearch": "blocked: 429"}}


def test_a_check_that_fails_is_a_reason_without_its_message() -> None:
    def check() -> str | None:
        raise ValueError("password=hunter2")

    with HealthServer("127.0.0.1", 0, metrics_registry("1", []), {}, {"x": check}) as server:
        status, answer = body(server, "/readyz")
    assert status == 503
    assert answer["checks"] == {"x": "the check failed: ValueError"}


def test_metrics_are_served_in_prometheus_text(server: HealthServer) -> None:
    status, content_type, data = get(server, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(data.decode())}
    assert {"trailwarden_build_info", "process_open_fds"} <= names


def test_other_paths_and_methods_are_refused(server: HealthServer) -> None:
    assert body(server, "/../etc/passwd")[0] == 404
    assert get(server, "/healthz", "POST")[0] == 501
    assert get(server, "/healthz", "HEAD")[2] == b""


def test_connections_that_say_nothing_do_not_keep_others_out(server: HealthServer) -> None:
    silent = [socket.create_connection((server.host, server.port)) for _ in range(CONNECTIONS - 1)]
    try:
        assert body(server, "/healthz")[0] == 200
    finally:
        for connection in silent:
            connection.close()


def test_one_connection_too_many_is_hung_up_on(server: HealthServer) -> None:
    silent = [socket.create_connection((server.host, server.port)) for _ in range(CONNECTIONS)]
    extra = socket.create_connection((server.host, server.port))
    try:
        extra.settimeout(10)
        assert extra.recv(1) == b""
    finally:
        for connection in [*silent, extra]:
            connection.close()


def test_closing_frees_the_port_and_leaves_no_thread() -> None:
    before = threading.active_count()
    server = HealthServer("127.0.0.1", 0, metrics_registry("1", []), {}, {})
    port = server.port
    assert get(server, "/healthz")[0] == 200
    server.close()
    assert threading.active_count() == before
    again = HealthServer("127.0.0.1", port, metrics_registry("1", []), {}, {})
    again.close()


def test_a_taken_port_is_an_error_that_says_so(server: HealthServer) -> None:
    with pytest.raises(OSError, match="in use"):
        HealthServer("127.0.0.1", server.port, metrics_registry("1", []), {}, {})
