"""Requests over a real connection, with a producer that does as it is told."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ingest.collectors.http_limits import HttpLimits
from ingest.envelope import Format
from ingest.salvage import MAX_RECORD_BYTES
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


def test_each_event_becomes_a_record_of_its_cluster_byte_for_byte(webhook: RunningWebhook) -> None:
    sent = events(3)
    reply = post(webhook, event_list(*sent), "/audit/prod-eu?timeout=30s")
    assert (reply.status, reply.body) == (200, b"")
    assert webhook.producer.events == sent
    envelope = webhook.producer.sent[0][0]
    assert (envelope.cluster, envelope.collector, envelope.source) == (
        "prod-eu",
        "collector-1",
        "webhook",
    )
    assert envelope.format is Format.RECORD
    assert abs(envelope.received.timestamp() - time.time()) < 60
    counts = webhook.counts
    assert (counts.requests, counts.records, counts.acknowledged) == (1, 3, 3)
    assert counts.bytes == sum(map(len, sent))
    assert counts.last_record == envelope.received


def test_recorded_bodies_arrive_byte_for_byte(recording: Path) -> None:
    with RunningWebhook() as webhook:
        for file in sorted((recording / "webhook").glob("eventlist-*.json")):
            body = file.read_bytes()
            webhook.producer.sent.clear()
            assert post(webhook, body).status == 200
            assert b",".join(webhook.producer.events) in body
            assert len(webhook.producer.events) == len(msgspec.json.decode(body)["items"])


def test_the_answer_waits_for_every_acknowledgement(webhook: RunningWebhook) -> None:
    webhook.producer.hold()
    thread, replies = post_later(lambda: post(webhook, event_list(*events(5))))
    until(lambda: len(webhook.producer.events) == 5, "sent")
    assert not replies
    webhook.producer.release()
    thread.join()
    assert [reply.status for reply in replies] == [200]


def test_one_failed_record_fails_the_request(webhook: RunningWebhook) -> None:
    webhook.producer.failing = lambda value: b'"a-3"' in value
    reply = post(webhook, event_list(*events(5)))
    assert reply.status == 503
    assert reply.headers["Retry-After"] == "1"
    assert webhook.counts.acknowledged == 0
    assert webhook.counts.failed == 5
    assert webhook.counts.refused == {"not-acknowledged": 1}
    webhook.producer.failing = lambda _: False
    assert post(webhook, event_list(*events(5))).status == 200


def test_no_acknowledgement_in_time_fails_the_request() -> None:
    with RunningWebhook(acknowledge_s=0.2) as webhook:
        webhook.producer.hold()
        reply = post(webhook, event_list(*events(2)))
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        webhook.producer.release()


def test_a_full_queue_asks_the_sender_to_come_again(webhook: RunningWebhook) -> None:
    webhook.producer.room = 3
    reply = post(webhook, event_list(*events(5)))
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1")
    assert webhook.counts.refused == {"queue-full": 1}
    webhook.producer.room = 1_000
    assert post(webhook, event_list(*events(5))).status == 200


def test_an_empty_list_needs_no_acknowledgement(webhook: RunningWebhook) -> None:
    webhook.producer.hold()
    assert post(webhook, event_list()).status == 200
    webhook.producer.release()


def test_what_is_no_json_is_refused_and_not_sent(webhook: RunningWebhook) -> None:
    for body in (b"", b"nonsense", event_list(*events(2))[:-20]):
        assert post(webhook, body).status == 400
    assert webhook.counts.refused == {"not-json": 3}
    assert webhook.producer.sent == []


def test_a_single_event_is_taken(webhook: RunningWebhook) -> None:
    assert post(webhook, b' {"kind":"Event","auditID":"a"} ').status == 200
    assert webhook.producer.events == [b'{"kind":"Event","auditID":"a"}']


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/audit/prod", 405),
        ("PUT", "/audit/prod", 405),
        ("HEAD", "/audit/prod", 405),
        ("GET", "/", 404),
        ("GET", "/metrics", 404),
        ("POST", "/", 404),
        ("POST", "/audit", 404),
        ("POST", "/audit/../prod", 404),
        ("POST", "/audit/prod%2f..", 404),
        ("POST", "/audit//prod", 404),
        ("POST", "/audit/" + "a" * 254, 404),
        ("POST", "/audit/" + "a" * 20_000, 400),
    ],
)
def test_only_a_post_to_a_cluster_is_taken(
    webhook: RunningWebhook, method: str, path: str, status: int
) -> None:
    reply = post(webhook, event_list(*events(1)), path, method=method)
    assert reply.status == status
    assert reply.headers["Server"] == "trailwarden"
    assert webhook.producer.sent == []


@pytest.mark.parametrize("start", [b"\x16\x03\x01\x02\x00\x01", b"GET\r\n\r\n", b"\x00\r\n\r\n"])
def test_what_is_no_http_is_answered_without_versions(
    webhook: RunningWebhook, start: bytes
) -> None:
    answer = raw(webhook, start + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 400")
    assert b"Server: trailwarden\r\n" in answer
    assert b"aiohttp" not in answer
    assert b"Python" not in answer


def test_a_record_over_the_limit_is_salvaged_and_its_original_spooled(tmp_path: Path) -> None:
    huge = (
        b'{"auditID":"a","stage":"ResponseComplete","verb":"create","requestURI":"/x",'
        b'"requestObject":{"x":"' + b"x" * MAX_RECORD_BYTES + b'"}}'
    )
    small = b'{"auditID":"b"}'
    with RunningWebhook(spool=tmp_path, limits=HttpLimits(body_bytes=32 << 20)) as webhook:
        body = event_list(small, huge, b'"' + huge[:-2].replace(b'"', b".") + b'"')
        assert post(webhook, body).status == 200
    (_, first), (envelope, saved), (head, cut) = webhook.producer.sent
    assert first == small
    assert msgspec.json.decode(saved)["auditID"] == "a"
    assert envelope.salvage is not None
    assert (envelope.salvage.dropped, envelope.salvage.size_bytes) == (
        ("requestObject",),
        len(huge),
    )
    assert head.salvage is not None
    assert len(cut) < MAX_RECORD_BYTES
    spooled = tmp_path / f"{envelope.salvage.sha256}.gz"
    assert gzip.decompress(spooled.read_bytes()) == huge
    assert webhook.counts.salvaged == 2
    assert webhook.bugs == []


def test_connections_are_kept_open_for_good_clients_only(webhook: RunningWebhook) -> None:
    connection = connect(webhook.port)
    for number in range(3):
        connection.request("POST", "/audit/prod", event_list(*events(number)))
        assert read(connection.getresponse()).status == 200
    connection.request("GET", "/audit/prod")
    reply = read(connection.getresponse())
    assert reply.headers["Connection"] == "close"
    connection.close()


def test_a_bug_costs_one_request_and_is_told() -> None:
    with RunningWebhook() as webhook:
        webhook.producer.bug = ZeroDivisionError()
        assert post(webhook, event_list(*events(1))).status == 500
        assert post(webhook, b"x").status == 400
    assert len(webhook.bugs) == 1


def test_what_a_user_wrote_into_one_event_does_not_cost_its_batch(webhook: RunningWebhook) -> None:
    sent = [b'{"auditID":"a"}', b'{"auditID":"b","requestObject":{"x":"\\ud800"}}', b"[" * 5_000]
    sent[2] += b"]" * 5_000
    assert post(webhook, event_list(*sent)).status == 200
    assert webhook.producer.events == sent
