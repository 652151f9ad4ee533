"""Clients that say little, slowly, and many at a time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from ingest.collectors.http_limits import HttpLimits
from tests.ingest.collectors.webhook_fakes import (
    RunningWebhook,
    connect,
    event_list,
    events,
    post,
    read,
    until,
)

HEAD = b"POST /audit/prod HTTP/1.1\r\nHost: h\r\n"


@contextmanager
def clients(webhook: RunningWebhook, count: int, say: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            client = stack.enter_context(
                socket.create_connection(("127.0.0.1", webhook.port), timeout=10)
            )
            client.sendall(say)
            found.append(client)
        yield found


def closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


def gone(client: socket.socket) -> bool:
    """Whether the other side has closed by now."""
    client.setblocking(False)
    try:
        return client.recv(100) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def hung_up(dripping: socket.socket) -> bool:
    """Send a little more; whether the other side is gone."""
    try:
        dripping.sendall(b"X-A: b\r\n")
        return dripping.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize("say", [b"", b"P", HEAD, HEAD + b"X-A: b\r\n"])
def test_a_client_that_does_not_come_to_the_point_is_dropped(say: bytes) -> None:
    limits = HttpLimits(opening_s=0.3)
    with RunningWebhook(limits=limits) as webhook, clients(webhook, 3, say) as slow:
        assert all(closed(client) for client in slow)
        until(lambda: webhook.counts.refused == {"slow": 3}, "counted")


def test_a_byte_now_and_then_does_not_prolong_the_deadline() -> None:
    limits = HttpLimits(opening_s=0.5)
    with RunningWebhook(limits=limits) as webhook, clients(webhook, 1, HEAD) as (slow,):
        started = time.monotonic()
        slow.settimeout(0.05)
        while not hung_up(slow):
            assert time.monotonic() - started < 10


def test_an_idle_client_is_dropped_later() -> None:
    with RunningWebhook(limits=HttpLimits(opening_s=0.2, idle_s=1.0)) as webhook:
        connection = connect(webhook.port)
        connection.request("POST", "/audit/prod", event_list())
        assert read(connection.getresponse()).status == 200
        started = time.monotonic()
        assert connection.sock.recv(1) == b""
        assert time.monotonic() - started > 0.5
        connection.close()


@pytest.mark.parametrize(
    "say", [b"", HEAD, HEAD + b"Content-Length: 100\r\n\r\n{"], ids=["silent", "head", "body"]
)
def test_beyond_the_limit_the_longest_idle_goes_and_a_good_client_comes_in(say: bytes) -> None:
    limits = HttpLimits(connections=8, opening_s=60, body_s=60)
    with RunningWebhook(limits=limits) as webhook, clients(webhook, 30, say) as slow:
        assert post(webhook, event_list(*events(1))).status == 200
        until(lambda: webhook.counts.refused["connections"] >= 22, "counted")
        # Who has not spoken goes first: that the first to speak of its body goes depends on whether
        # the server reads what came as fast as others come.
        until(lambda: sum(map(gone, slow)) >= 22, "closed")
        assert gone(slow[0]) or b"Content-Length" in say


def test_a_good_client_that_is_idle_stays_while_silent_ones_come() -> None:
    with RunningWebhook(limits=HttpLimits(connections=8, opening_s=60)) as webhook:
        good = connect(webhook.port)
        good.request("POST", "/audit/prod", event_list())
        assert read(good.getresponse()).status == 200
        port = good.sock.getsockname()
        with clients(webhook, 30, b""):
            until(lambda: webhook.counts.refused["connections"] >= 20, "crowded")
            good.request("POST", "/audit/prod", event_list())
            assert read(good.getresponse()).status == 200
            assert good.sock.getsockname() == port
        good.close()


def test_a_request_that_waits_for_kafka_is_never_the_one_to_go() -> None:
    with RunningWebhook(limits=HttpLimits(connections=2)) as webhook:
        webhook.producer.hold()
        body = event_list(*events(1))
        say = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
        with clients(webhook, 2, say) as waiting:
            until(lambda: len(webhook.producer.sent) == 2, "in work")
            with clients(webhook, 3, b"") as refused:
                assert all(closed(client) for client in refused)
            until(lambda: webhook.counts.refused == {"connections": 3}, "counted")
            webhook.producer.release()
            for client in waiting:
                assert client.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_closed_connections_make_room() -> None:
    with RunningWebhook(limits=HttpLimits(connections=2)) as webhook:
        for _ in range(10):
            assert post(webhook, event_list()).status == 200
        assert webhook.counts.refused == {}
