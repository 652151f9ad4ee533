"""What goes on beside the requests, and how it all ends."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import pytest

from ingest.collectors.canary import read_canary
from ingest.collectors.webhook_auth import Senders, read_tokens
from ingest.envelope import Format
from tests.ingest.collectors.webhook_fakes import (
    Reply,
    RunningWebhook,
    connect,
    event_list,
    events,
    post,
    post_later,
    read,
    until,
)


def test_canaries_tell_of_every_cluster_seen_or_configured(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("quiet 0123456789abcdef\n")
    senders = Senders(read_tokens(file), certificates=False)
    with RunningWebhook(senders=senders, canary_interval_s=0.05) as webhook:
        until(lambda: webhook.counts.canaries >= 2, "canaries")
        envelope, value = webhook.producer.sent[0]
    assert (envelope.format, envelope.cluster) == (Format.CANARY, "quiet")
    canary = read_canary(value)
    assert (canary.source, canary.time) == ("webhook", envelope.received)
    assert not canary.caught_up  # nobody knows what was refused before the start
    with RunningWebhook(canary_interval_s=0.05) as webhook:
        assert post(webhook, event_list(), "/audit/seen").status == 200
        until(lambda: "seen" in webhook.producer.clusters, "canary of a cluster seen")
        until(lambda: webhook.counts.last_canary is not None, "counted")


def test_a_cluster_that_was_refused_something_is_not_caught_up() -> None:
    with RunningWebhook() as webhook:
        assert webhook.service is not None
        seen = webhook.service._webhook._seen
        now_s = seen._started_s
        seen._started_s -= 1_000  # as if it had been running for long
        assert post(webhook, event_list(*events(1))).status == 200
        assert seen.is_caught_up("prod", now_s)
        webhook.producer.room = 0
        assert post(webhook, event_list(*events(1))).status == 429
        assert not seen.is_caught_up("prod", now_s)
        assert post(webhook, b"nonsense").status == 400
        assert seen.names == ["prod"]


def test_a_canary_that_fails_is_not_counted() -> None:
    with RunningWebhook(canary_interval_s=0.05) as webhook:
        webhook.producer.failing = lambda _: True
        assert post(webhook, event_list(), "/audit/seen").status == 200
        until(lambda: webhook.counts.refused["not-acknowledged"] >= 1, "failed")
    assert webhook.counts.canaries == 0


def test_ready_only_while_kafka_takes_records() -> None:
    with RunningWebhook() as webhook:
        until(lambda: webhook.not_ready() is None, "ready")
        webhook.producer.failing = lambda _: True
        assert post(webhook, event_list(*events(1))).status == 503
        assert webhook.not_ready() == "Kafka does not acknowledge"
        webhook.producer.failing = lambda _: False
        assert post(webhook, event_list(*events(1))).status == 200
        assert webhook.not_ready() is None
        webhook.begin_stop()
        until(lambda: webhook.not_ready() == "stopping", "stopping")


def test_not_ready_while_the_broker_is_not_there() -> None:
    with RunningWebhook(kafka_missing="Kafka: _TRANSPORT") as webhook:
        until(lambda: webhook.not_ready() == "Kafka: _TRANSPORT", "told")
    assert webhook.told_missing == ["Kafka: _TRANSPORT"]


def test_a_stop_finishes_what_has_begun_and_takes_nothing_new() -> None:
    webhook = RunningWebhook()
    with webhook:
        idle = connect(webhook.port)
        idle.request("POST", "/audit/prod", event_list())
        assert read(idle.getresponse()).status == 200
        webhook.producer.hold()
        thread, replies = post_later(lambda: post(webhook, event_list(*events(3))))
        until(lambda: len(webhook.producer.events) == 3, "in work")
        webhook.begin_stop()
        until(lambda: _refuses(webhook.port), "closed to others")
        assert not replies
        webhook.producer.release()
        thread.join()
    assert [reply.status for reply in replies] == [200]
    assert webhook.unacknowledged == 0
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        _again(idle)
    idle.close()


def _again(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/audit/prod", event_list())
    connection.getresponse()


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False


def test_a_stop_reads_a_body_that_has_begun_to_its_end() -> None:
    body = event_list(*events(3))
    with RunningWebhook() as webhook:
        head = f"POST /audit/prod HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", webhook.port), timeout=10) as connection:
            connection.sendall(head.encode() + body[:50])
            until(lambda: webhook.counts.requests == 1, "begun")
            webhook.begin_stop()
            until(lambda: _refuses(webhook.port), "closed to others")
            connection.sendall(body[50:])
            answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer


def test_a_stop_does_not_wait_for_ever() -> None:
    with RunningWebhook(acknowledge_s=60, stop_s=0.3) as webhook:
        webhook.producer.hold()
        thread, _ = post_later(lambda: _status_or_none(webhook))
        until(lambda: len(webhook.producer.events) == 3, "in work")
        started = time.monotonic()
        webhook.stop()
        assert time.monotonic() - started < 8
        assert webhook.unacknowledged == 3
        thread.join()


def _status_or_none(webhook: RunningWebhook) -> Reply:
    try:
        return post(webhook, event_list(*events(3)))
    except (ConnectionError, http.client.HTTPException):
        return Reply(0, {}, b"")


def test_a_producer_that_gave_up_ends_the_service() -> None:
    with RunningWebhook() as webhook:
        webhook.producer.gone = True
        until(lambda: webhook.failure is not None, "ended")
        assert webhook.not_ready() == "stopping"
