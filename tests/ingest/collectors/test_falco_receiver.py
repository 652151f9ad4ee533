"""Alerts over a real connection: what differs from the audit webhook, and nothing else."""

from __future__ import annotations

import base64
import gzip
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.collectors.canary import read_canary
from ingest.collectors.intake import ALERTS
from ingest.collectors.webhook_auth import Senders, read_tokens
from ingest.envelope import Format, read_envelope
from tests.ingest.collectors.webhook_fakes import (
    RunningWebhook,
    connect,
    post,
    post_later,
    raw,
    read,
    until,
)
from tests.ingest.collectors.webhook_process import WebhookProcess
from worker.configuration import Webhook

TOKEN = "0123456789abcdef-prod"
ALERT = b'{"hostname":"n","rule":"r","priority":"Notice","output_fields":{"evt.time":1}}'
OPEN = Senders(None, certificates=False, root="/falco")


@pytest.fixture
def receiver() -> Iterator[RunningWebhook]:
    with RunningWebhook(senders=OPEN, intake=ALERTS) as running:
        yield running
    assert running.bugs == []


def test_an_alert_becomes_a_record_of_the_paths_cluster(receiver: RunningWebhook) -> None:
    named = b'{"rule":"r","priority":"Notice","output_fields":{"cluster":"other"}}'
    reply = post(receiver, named, "/falco/prod-eu", {"User-Agent": "falcosecurity/falco"})
    assert (reply.status, reply.body) == (200, b"")
    envelope = receiver.producer.sent[0][0]
    assert receiver.producer.events == [named]
    assert (envelope.cluster, envelope.source) == ("prod-eu", "falco")


def test_arrays_lines_and_gzip_are_taken(receiver: RunningWebhook) -> None:
    packed = gzip.compress(b"[" + ALERT + b"," + ALERT + b"]")
    reply = post(receiver, packed, "/falco/prod", {"Content-Encoding": "gzip"})
    assert reply.status == 200
    assert post(receiver, ALERT + b"\n" + ALERT + b"\n", "/falco/prod").status == 200
    assert receiver.producer.events == [ALERT] * 4


def test_alerts_follow_each_other_on_one_connection(receiver: RunningWebhook) -> None:
    connection = connect(receiver.port)
    for _ in range(3):
        connection.request("POST", "/falco/prod", ALERT)
        assert read(connection.getresponse()).status == 200
    connection.close()
    assert len(receiver.producer.events) == 3


def test_a_client_that_waits_for_100_and_offers_trailers_is_served(
    receiver: RunningWebhook,
) -> None:
    """As libcurl asks for large bodies, and with http_output.compress_uploads."""
    head = (
        b"POST /falco/prod HTTP/1.1\r\nHost: h\r\nConnection: TE, close\r\nTE: gzip\r\n"
        b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
        b"Content-Length: " + str(len(ALERT)).encode() + b"\r\n\r\n"
    )
    answer = raw(receiver, head + ALERT)
    assert b"HTTP/1.1 100 Continue" in answer
    assert b"HTTP/1.1 200 OK" in answer


@pytest.mark.parametrize("path", ["/audit/prod", "/", "/falco", "/falco/", "/falco/../x"])
def test_other_paths_are_refused(receiver: RunningWebhook, path: str) -> None:
    assert post(receiver, ALERT, path).status == 404


def test_text_is_refused_for_json_output_was_forgotten(receiver: RunningWebhook) -> None:
    assert post(receiver, b"10:40:00.1: Notice A shell was spawned", "/falco/prod").status == 400
    assert receiver.producer.events == []


def test_what_strict_decoders_refuse_is_sent_on(receiver: RunningWebhook) -> None:
    odd = b'{"rule":"r","output":"\xff\x01"}'
    assert post(receiver, odd, "/falco/prod").status == 200
    assert receiver.producer.events == [odd]


def test_without_kafka_the_answer_says_come_again() -> None:
    with RunningWebhook(senders=OPEN, intake=ALERTS, acknowledge_s=0.2) as receiver:
        receiver.producer.hold()
        reply = post(receiver, ALERT, "/falco/prod")
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        receiver.producer.room = 0
        assert post(receiver, ALERT, "/falco/prod").status == 429


def test_an_alert_is_answered_only_when_kafka_has_it() -> None:
    with RunningWebhook(senders=OPEN, intake=ALERTS) as receiver:
        receiver.producer.hold()
        thread, replies = post_later(lambda: post(receiver, ALERT, "/falco/prod"))
        until(lambda: receiver.producer.events, "handed on")
        assert not replies
        receiver.producer.release()
        thread.join()
        assert [reply.status for reply in replies] == [200]


def test_a_token_may_come_as_a_password_in_the_address(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text(f"prod {TOKEN}\n")
    senders = Senders(read_tokens(file), certificates=False, root="/falco")

    with RunningWebhook(senders=senders, intake=ALERTS) as running:
        assert _status(running, f"falco:{TOKEN}") == 200
        assert _status(running, f"falco:{TOKEN}", "/falco/other") == 403
        assert _status(running, "falco:wrong") == 401
        assert _status(running, TOKEN) == 401
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        assert post(running, ALERT, "/falco/prod", bearer).status == 200
    assert running.producer.clusters == ["prod", "prod"]


def _status(running: RunningWebhook, user: str, path: str = "/falco") -> int:
    given = "Basic " + base64.b64encode(user.encode()).decode()
    return post(running, ALERT, path, {"Authorization": given}).status


def test_its_canaries_bear_its_name() -> None:
    with RunningWebhook(senders=OPEN, intake=ALERTS, canary_interval_s=0.05) as receiver:
        assert post(receiver, ALERT, "/falco/prod").status == 200
        until(lambda: receiver.counts.canaries, "a canary")
        canaries = [v for e, v in receiver.producer.sent if e.format is Format.CANARY]
    assert read_canary(canaries[0]).source == "falco"


@pytest.mark.integration
def test_what_falco_saw_taken_is_in_kafka(kafka: str, tmp_path: Path) -> None:
    topic = f"falco-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    tokens = tmp_path / "tokens"
    tokens.write_text(f"prod {TOKEN}\n")
    given = Webhook(tokens_file=tokens, acknowledge_s=5.0)
    receiver = WebhookProcess(kafka, topic, tmp_path / "log", given, "falco")
    receiver.start()
    try:
        connection = connect(receiver.port)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        for body in (ALERT, b"[" + ALERT + b"]", ALERT + b"\n" + ALERT):
            connection.request("POST", "/falco", body, bearer)
            assert read(connection.getresponse()).status == 200
        connection.request("POST", "/falco", ALERT)
        assert read(connection.getresponse()).status == 401
        connection.close()
        assert receiver.stop() == 0
        assert ALERT.decode() not in receiver.log.read_text()
        assert stored(kafka, topic, 4) == [("prod", "falco", ALERT)] * 4
    finally:
        receiver.kill()
        admin.delete_topics([topic])[topic].result(30)


def stored(kafka: str, topic: str, count: int) -> list[tuple[str, str, bytes]]:
    config = {"bootstrap.servers": kafka, "group.id": topic, "enable.auto.commit": False}
    consumer = Consumer(config)
    try:
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), 30)[1] == count
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
        found = []
        for message in consumer.consume(count, 30):
            assert not message.error()
            headers = message.headers()
            envelope = read_envelope(headers, message.key(), 0)  # type: ignore[arg-type]
            found.append((envelope.cluster, envelope.source, message.value() or b""))
        return found
    finally:
        consumer.close()
