"""Bodies that lie about their length, never end, or are packed."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from ingest.collectors.http_limits import HttpLimits
from tests.ingest.collectors.webhook_fakes import (
    RunningWebhook,
    connect,
    event_list,
    events,
    post,
    post_later,
    raw,
    read,
    until,
)

SMALL = HttpLimits(body_bytes=1 << 20)


@pytest.fixture
def webhook() -> Iterator[RunningWebhook]:
    with RunningWebhook(limits=SMALL) as running:
        yield running
    assert running.bugs == []


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: +5\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding : chunked\r\n",
    ],
)
def test_a_body_whose_length_could_be_read_in_two_ways_is_refused(
    webhook: RunningWebhook, headers: bytes
) -> None:
    start = b"POST /audit/prod HTTP/1.1\r\nHost: h\r\n" + headers + b"\r\n"
    answer = raw(webhook, start + b"0\r\n\r\n[1]\r\nPOST /audit/evil HTTP/1.1\r\nHost: h\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
    assert b"200 OK" not in answer
    assert webhook.producer.sent == []


@pytest.mark.parametrize("chunk", [b"zz\r\n[1]\r\n0\r\n\r\n", b"-3\r\n[1]\r\n", b"3\r\n[1]xx\r\n"])
def test_broken_chunks_are_refused(webhook: RunningWebhook, chunk: bytes) -> None:
    start = b"POST /audit/prod HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert b" 400 " in raw(webhook, start + chunk).split(b"\r\n")[0]
    assert webhook.producer.sent == []


def test_chunked_bodies_are_taken(webhook: RunningWebhook) -> None:
    body = event_list(*events(4))
    connection = connect(webhook.port)
    connection.request("POST", "/audit/prod", iter([body[:7], body[7:90], body[90:]]))
    assert read(connection.getresponse()).status == 200
    connection.close()
    assert webhook.producer.events == events(4)


def test_a_client_that_asks_first_is_told_to_go_on(webhook: RunningWebhook) -> None:
    body = event_list(*events(1))
    head = f"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection:
        connection.sendall(head.encode() + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200 OK")


def test_gzip_is_unpacked(webhook: RunningWebhook) -> None:
    packed = gzip.compress(event_list(*events(4)))
    assert post(webhook, packed, headers={"Content-Encoding": "GZIP"}).status == 200
    assert webhook.producer.events == events(4)


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("br", b"x", 415),
        ("deflate", zlib.compress(b"{}"), 415),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}", mtime=0), mtime=0), 415),
        ("gzip", b"{}", 400),
        ("gzip", gzip.compress(b"{}", mtime=0)[:-9], 400),
        ("gzip", gzip.compress(b"{}", mtime=0) * 2, 415),
        ("gzip", gzip.compress(b"{}", mtime=0) + b"x", 415),
        ("gzip", b"", 400),
    ],
)
def test_other_encodings_are_refused(
    webhook: RunningWebhook, encoding: str, body: bytes, status: int
) -> None:
    assert post(webhook, body, headers={"Content-Encoding": encoding}).status == status
    assert webhook.producer.sent == []


def test_a_gzip_bomb_is_refused_without_being_unpacked(webhook: RunningWebhook) -> None:
    bomb = gzip.compress(bytes(200 << 20), compresslevel=9)
    tracemalloc.start()
    try:
        assert post(webhook, bomb, headers={"Content-Encoding": "gzip"}).status == 413
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 << 20
    assert webhook.counts.refused == {"too-large": 1}


def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_read(
    webhook: RunningWebhook,
) -> None:
    with socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection:
        connection.sendall(
            b"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_grows_too_large_in_chunks_is_refused(webhook: RunningWebhook) -> None:
    connection = connect(webhook.port)
    try:
        connection.request("POST", "/audit/prod", (b" " * 65_536 for _ in range(64)))
        assert read(connection.getresponse()).status == 413
    except ConnectionError:  # it may close while we are still sending
        pass
    finally:
        connection.close()
    until(lambda: webhook.counts.refused == {"too-large": 1}, "refused")
    assert webhook.producer.sent == []


def test_a_body_of_just_the_limit_is_taken(webhook: RunningWebhook) -> None:
    body = event_list(*events(1))
    assert post(webhook, body.ljust(SMALL.body_bytes)).status == 200
    assert post(webhook, body.ljust(SMALL.body_bytes + 1)).status == 413


def test_a_body_cut_off_is_not_sent_on(webhook: RunningWebhook) -> None:
    body = event_list(*events(4))
    with socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection:
        head = f"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body) + 9}\r\n\r\n"
        connection.sendall(head.encode() + body)
        until(lambda: webhook.counts.requests == 1, "begun")
    until(lambda: webhook.counts.refused == {"cut-off": 1}, "refused")
    assert webhook.producer.sent == []


def test_a_body_that_comes_too_slowly_is_refused() -> None:
    with RunningWebhook(limits=HttpLimits(body_s=0.3, linger_s=0.2)) as webhook:
        head = b"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"
        started = time.monotonic()
        assert raw(webhook, head).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - started < 5
        assert webhook.counts.refused == {"slow": 1}


def test_bodies_together_are_bounded() -> None:
    with RunningWebhook(limits=SMALL) as webhook:
        webhook.producer.hold()
        large = event_list(b'"' + b"x" * 900_000 + b'"')
        waiting = [post_later(lambda: post(webhook, large)) for _ in range(2)]
        until(lambda: len(webhook.producer.sent) == 2, "two in work")
        reply = post(webhook, large)
        assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
        assert webhook.counts.refused == {"memory": 1}
        webhook.producer.release()
        for thread, replies in waiting:
            thread.join()
            assert replies[0].status == 200
        assert post(webhook, large).status == 200
