from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from ingest.envelope import Envelope, Format
from ingest.record import Reason, Refused, Stage, sha256_hex
from sinks.elasticsearch.bulk import Poisoned
from sinks.elasticsearch.documents import Document
from sinks.quarantine import (
    COPY,
    COPY_CUT,
    DETAIL,
    ID,
    MAX_DOCUMENT_BYTES,
    MAX_REASON,
    Place,
    QuarantineError,
    QuarantineTopic,
    encoded,
    poisoned_document,
    read,
    refused_document,
)
from sinks.topic_reader import TopicUnreadableError, read_messages, spans_of
from tests.ingest.collectors.mock_broker import MockBroker
from tests.sinks.kafka_topics import Sender, fresh_topic

RECEIVED = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
ENVELOPE = Envelope("blue", "tail-1", Format.RECORD, RECEIVED, "/var/log/audit.log")
REFUSED = Refused(
    Stage.DECODE, Reason.NOT_JSON, "raw/1", 77, 9, sha256_hex(b"no record"), "not JSON", '{"a":1}'
)
PLACE = Place("raw", 1, 77, 0)
TOPIC_AUTHORIZATION_FAILED = 29


@pytest.mark.parametrize("waiting", [0, 1, 5])
def test_a_producer_that_failed_for_good_stops_the_worker_with_its_reason(waiting: int) -> None:
    broker = MockBroker()
    broker.create("quarantine")
    sink = QuarantineTopic(
        {"bootstrap.servers": broker.bootstrap_servers, "log_level": 0}, "quarantine"
    )
    broker.go_down()
    for number in range(waiting):
        sink.add({ID: str(number)})
    broker.fail_for_good(sink._writer._producer, TOPIC_AUTHORIZATION_FAILED, "no right to write")
    with pytest.raises(QuarantineError, match=r"quarantine: .*no right to write"):
        sink.flush(5)
    sink.discard()


def test_a_refused_record_is_described_with_its_place_and_envelope() -> None:
    assert refused_document(REFUSED, ENVELOPE, PLACE) == {
        "trailwarden.quarantine.id": "a4386089e002b63b11533634b994284d",
        "orchestrator.cluster.name": "blue",
        "agent.name": "tail-1",
        "event.created": "2026-11-21T12:30:00+00:00",
        "trailwarden.quarantine.source": "/var/log/audit.log",
        "trailwarden.quarantine.topic": "raw",
        "trailwarden.quarantine.partition": 1,
        "trailwarden.quarantine.offset": 77,
        "trailwarden.quarantine.position": 0,
        "trailwarden.quarantine.stage": "decode",
        "trailwarden.quarantine.reason": "not-json",
        "trailwarden.quarantine.detail": "not JSON",
        "log.file.path": "raw/1",
        "log.offset": 77,
        "trailwarden.quarantine.size_bytes": 9,
        "trailwarden.quarantine.sha256": sha256_hex(b"no record"),
        "trailwarden.quarantine.copy": '{"a":1}',
    }


def test_the_id_is_that_of_the_place_and_of_nothing_else() -> None:
    place_id = refused_document(REFUSED, ENVELOPE, PLACE)[ID]
    other = replace(REFUSED, reason=Reason.TOO_DEEP, detail="another release says other words")
    assert refused_document(other, ENVELOPE, PLACE)[ID] == place_id
    places = [
        Place("raw", 1, 77, 1),
        Place("raw", 1, 78),
        Place("raw", 17, 7),
        Place("raw1", 1, 77),
    ]
    ids = {refused_document(REFUSED, ENVELOPE, place)[ID] for place in places}
    assert len(ids | {place_id}) == 5


def test_a_document_that_elasticsearch_refused_is_named_and_its_words_are_cut() -> None:
    source = {"orchestrator.cluster.name": "blue", "event.created": "2026-11-21T12:30:00.000000Z"}
    document = Document("trailwarden-events-2026.11.21", "abc", orjson.dumps(source))
    reason = "failed to parse value [" + "x" * 5_000
    made = poisoned_document(Poisoned(document, 400, "document_parsing_exception", reason))
    assert made["trailwarden.quarantine.index"] == "trailwarden-events-2026.11.21"
    assert made["trailwarden.quarantine.document_id"] == "abc"
    assert made["trailwarden.quarantine.reason"] == "elasticsearch-400"
    assert made["trailwarden.quarantine.stage"] == "index"
    assert made["orchestrator.cluster.name"] == "blue"
    assert made["event.created"] == "2026-11-21T12:30:00.000000Z"
    assert made[DETAIL].startswith("document_parsing_exception: failed to parse")
    assert len(made[DETAIL]) == MAX_REASON
    again = poisoned_document(Poisoned(document, 404, "other", ""))
    assert again[ID] == made[ID]


def test_a_huge_copy_is_cut_until_the_topic_takes_it() -> None:
    large = replace(REFUSED, copy='"' + "\x01" * (8 << 20))
    data = encoded(refused_document(large, ENVELOPE, PLACE))
    document = orjson.loads(data)
    assert len(data) <= MAX_DOCUMENT_BYTES
    assert len(data) > MAX_DOCUMENT_BYTES / 4
    assert document[COPY_CUT] is True
    assert document[COPY].startswith('"\x01')


def test_a_copy_that_fits_is_whole() -> None:
    document = orjson.loads(encoded(refused_document(REFUSED, ENVELOPE, PLACE)))
    assert document[COPY] == '{"a":1}'
    assert COPY_CUT not in document


def test_hostile_text_cannot_keep_a_record_out_of_quarantine() -> None:
    hostile = replace(REFUSED, detail="\ud800" + "y" * 100_000, copy="\udfff", path="\ud900")
    document = orjson.loads(encoded(refused_document(hostile, ENVELOPE, PLACE)))
    assert document[DETAIL].startswith("?yyy")
    assert len(document[DETAIL]) == 4_096
    assert document[COPY] == "?"


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    with fresh_topic(kafka, "e-quarantine") as name:
        yield name


def config(kafka: str) -> dict[str, object]:
    return {"bootstrap.servers": kafka}


@pytest.mark.integration
def test_documents_come_back_once_though_written_twice(kafka: str, topic: str) -> None:
    places = [Place("raw", 1, offset) for offset in range(5)]
    documents = [refused_document(REFUSED, ENVELOPE, place) for place in places]
    for _ in range(2):
        quarantine = QuarantineTopic(config(kafka), topic)
        for document in documents:
            quarantine.add(document)
        assert quarantine.flush(30)
        assert len(quarantine) == 0
    found = list(read(config(kafka), topic))
    assert sorted(d["trailwarden.quarantine.offset"] for d in found) == [0, 1, 2, 3, 4]
    assert all(d in documents for d in found)
    raw = list(read_messages(config(kafka), topic, spans_of(config(kafka), topic)))
    assert {message.key() for message in raw} == {b"blue"}
    assert len(raw) == 10


@pytest.mark.integration
def test_the_largest_document_is_taken_by_a_topic_of_the_default_size(
    kafka: str, topic: str
) -> None:
    noise = "".join(chr(0x21 + n * 7919 % 90) for n in range(3 << 20))
    quarantine = QuarantineTopic(config(kafka), topic)
    quarantine.add(refused_document(replace(REFUSED, copy=noise), ENVELOPE, PLACE))
    assert quarantine.flush(30)
    assert next(read(config(kafka), topic))[COPY_CUT] is True


@pytest.mark.integration
def test_what_is_no_document_is_passed_over(kafka: str, topic: str) -> None:
    sender = Sender(kafka, topic)
    for value in (b"no JSON", b"[1]", b"{}", b'{"trailwarden.quarantine.id": 7}', b""):
        sender.send(value)
    sender.send(encoded(refused_document(REFUSED, ENVELOPE, PLACE)), partition=1)
    assert len(list(read(config(kafka), topic))) == 1


@pytest.mark.integration
def test_an_empty_topic_ends_at_once(kafka: str, topic: str) -> None:
    assert list(read(config(kafka), topic)) == []


@pytest.mark.integration
def test_reading_ends_where_the_topic_ended_when_it_began(kafka: str, topic: str) -> None:
    sender = Sender(kafka, topic)
    for number in range(3):
        sender.send(b"%d" % number)
    messages = read_messages(config(kafka), topic, spans_of(config(kafka), topic))
    sender.send(b"later")
    assert [message.value() for message in messages] == [b"0", b"1", b"2"]


@pytest.mark.integration
def test_a_topic_can_be_read_from_a_time_on(kafka: str, topic: str) -> None:
    sender = Sender(kafka, topic)
    sender.send(b"before")
    first = next(iter(read_messages(config(kafka), topic, spans_of(config(kafka), topic))))
    written_ms = first.timestamp()[1]
    while time.time() * 1000 <= written_ms + 1:  # the clock's next tick, not a duration
        pass
    since = datetime.now(UTC)
    sender.send(b"after")
    found = read_messages(config(kafka), topic, spans_of(config(kafka), topic, since))
    assert [message.value() for message in found] == [b"after"]
    later = datetime(2100, 1, 1, tzinfo=UTC)
    assert list(read_messages(config(kafka), topic, spans_of(config(kafka), topic, later))) == []


@pytest.mark.integration
def test_a_topic_that_is_not_there_cannot_be_read(kafka: str) -> None:
    with pytest.raises(TopicUnreadableError, match="e-no-such-topic"):
        list(read(config(kafka), "e-no-such-topic"))


def test_a_broker_that_is_away_keeps_documents_until_they_are_given_up() -> None:
    quarantine = QuarantineTopic(config("127.0.0.1:1"), "quarantine")
    quarantine.add(refused_document(REFUSED, ENVELOPE, PLACE))
    assert not quarantine.flush(0.1)
    assert not quarantine.flush(0.1)
    quarantine.discard()
    assert len(quarantine) == 0
    assert quarantine.flush(0.1)


@pytest.mark.integration
def test_a_refusal_by_the_broker_stops_loudly(kafka: str, topic: str) -> None:
    quarantine = QuarantineTopic(config(kafka) | {"message.max.bytes": 20_000_000}, topic)
    quarantine._writer._produce(random.Random(1).randbytes(12_000_000), b"blue", -1)
    with pytest.raises(QuarantineError, match="MSG_SIZE_TOO_LARGE"):
        quarantine.flush(30)
