"""A record counts as sent when the broker said so, and what goes wrong comes back with a reason."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.collectors.producer import (
    MAX_MESSAGE_BYTES,
    ProducerFailedError,
    ProducerFullError,
    RecordProducer,
    refusal_of,
)
from ingest.envelope import Envelope, Format, read_envelope
from ingest.salvage import MAX_RECORD_BYTES
from tests.ingest.collectors.mock_broker import INIT_PRODUCER_ID, PRODUCE, MockBroker, read

NOW = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
ENVELOPE = Envelope("prod-eu", "node-1", Format.RECORD, NOW, "/var/log/audit.log")
FENCED = 90  # PRODUCER_FENCED
CLUSTER_AUTHORIZATION_FAILED = 31
TOPIC_AUTHORIZATION_FAILED = 29


class Answers(list[str | None]):
    """What came back."""

    def __call__(self, error: str | None) -> None:
        self.append(error)


def produce(broker: MockBroker, **options: object) -> RecordProducer:
    config = {name.replace("_", "."): value for name, value in options.items()}
    servers = {"bootstrap.servers": broker.bootstrap_servers, "log_level": 2}
    return RecordProducer(servers | config, "raw")


def wait(producer: RecordProducer, done: Callable[[], object]) -> None:
    for _ in range(400):
        if done():
            return
        producer.poll(0.05)
    pytest.fail("nothing happened for 20 s")


def test_a_record_arrives_with_key_and_envelope(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    producer.send(ENVELOPE, b'{"a": 1}\x00', answers)
    assert answers == []
    wait(producer, lambda: answers)
    producer.close()
    assert answers == [None]
    (message,) = broker.messages("raw", 1)
    assert (message.key(), message.value()) == (b"prod-eu", b'{"a": 1}\x00')
    assert read_envelope(message.headers(), message.key(), 0) == ENVELOPE


def test_every_record_has_the_envelope_it_was_sent_with(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    others = [Envelope(f"c{i % 2}", "n", Format.CANARY, NOW, str(i)) for i in range(6)]
    for envelope in others:
        producer.send(envelope, b"x", answers)
    assert producer.flush(10) == 0
    producer.close()
    found = [read_envelope(m.headers(), m.key(), 0) for m in broker.messages("raw", 6)]
    assert found == others


def test_retriable_errors_are_retried_in_order(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    broker.answer(PRODUCE, 6, 7, 19, 20, 5)  # leader moves, time-outs, too few in-sync replicas
    for number in range(20):
        producer.send(ENVELOPE, str(number).encode(), answers)
    assert producer.flush(20) == 0
    producer.close()
    assert answers == [None] * 20
    assert [m.value() for m in broker.messages("raw", 20)] == [b"%d" % n for n in range(20)]


def test_a_record_that_times_out_comes_back_and_the_producer_goes_on(broker: MockBroker) -> None:
    producer, answers = produce(broker, message_timeout_ms=300), Answers()
    broker.go_down()
    producer.send(ENVELOPE, b"lost", answers)
    wait(producer, lambda: answers)
    assert answers[0] is not None
    assert "_MSG_TIMED_OUT" in answers[0]
    broker.come_up()
    for _ in range(50):
        producer.send(ENVELOPE, b"again", answers)
        producer.flush(2)
        if answers[-1] is None:
            break
    producer.close()
    assert answers[-1] is None
    assert producer.last_error is not None


def test_a_full_queue_asks_to_wait_and_takes_nothing(broker: MockBroker) -> None:
    producer, answers = produce(broker, queue_buffering_max_messages=5), Answers()
    broker.go_down()
    for _ in range(5):
        producer.send(ENVELOPE, b"x", answers)
    with pytest.raises(ProducerFullError, match="records wait for Kafka"):
        producer.send(ENVELOPE, b"x", answers)
    producer.close()
    assert len(answers) == 5


def test_what_waits_is_bounded_by_bytes(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    broker.go_down()
    value = bytes(MAX_RECORD_BYTES)
    taken = 0
    try:
        for taken in range(100):  # noqa: B007 - used after the loop
            producer.send(ENVELOPE, value, answers)
    except ProducerFullError:
        pass
    producer.close()
    assert 7 <= taken <= 9


def test_closing_answers_what_is_unknown(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    broker.go_down()
    producer.send(ENVELOPE, b"x", answers)
    producer.close()
    assert len(answers) == 1
    assert answers[0] is not None


def test_a_refused_record_comes_back_with_the_reason(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    broker.answer(PRODUCE, TOPIC_AUTHORIZATION_FAILED)
    producer.send(ENVELOPE, b"x", answers)
    wait(producer, lambda: answers)
    producer.close()
    assert answers[0] is not None
    assert "TOPIC_AUTHORIZATION_FAILED" in answers[0]


def test_a_record_over_the_limit_comes_back_with_the_next_poll(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    producer.send(ENVELOPE, bytes(MAX_MESSAGE_BYTES + 1), answers)
    assert (answers, len(producer)) == ([], 1)
    producer.poll(0)
    producer.close()
    assert answers[0] is not None
    assert "MSG_SIZE_TOO_LARGE" in answers[0]


def test_a_fenced_producer_says_so_from_poll_and_send(broker: MockBroker) -> None:
    producer, answers = produce(broker), Answers()
    broker.fail_for_good(producer._producer, FENCED, "another took over")
    with pytest.raises(ProducerFailedError, match="another took over"):
        wait(producer, lambda: False)
    with pytest.raises(ProducerFailedError, match="another took over"):
        producer.send(ENVELOPE, b"x", answers)


@pytest.mark.parametrize("waiting", [0, 1, 5])
def test_one_that_fails_with_records_on_their_way_says_so_from_flush(
    broker: MockBroker, waiting: int
) -> None:
    """confluent_kafka raises within callbacks here, of which Python makes a SystemError."""
    producer, answers = produce(broker), Answers()
    broker.go_down()
    for _ in range(waiting):
        producer.send(ENVELOPE, b"x", answers)
    broker.fail_for_good(producer._producer, TOPIC_AUTHORIZATION_FAILED, "no right to write")
    # Mostly with the words of the broker; where a callback lost them, librdkafka only says that.
    with pytest.raises(
        ProducerFailedError, match=r"AUTHORIZATION_FAILED.*no right to write|_FATAL"
    ):
        producer.flush(5)
    producer.close()


def test_what_is_not_kafkas_doing_stays_what_it_is() -> None:
    with pytest.raises(SystemError, match="a bug"):
        refusal_of(SystemError("a bug"))


def test_missing_rights_to_be_idempotent_are_fatal(broker: MockBroker) -> None:
    broker.answer(INIT_PRODUCER_ID, CLUSTER_AUTHORIZATION_FAILED)
    producer = produce(broker)
    producer.send(ENVELOPE, b"x", Answers())
    with pytest.raises(ProducerFailedError, match="CLUSTER_AUTHORIZATION_FAILED"):
        wait(producer, lambda: False)


def test_a_bad_configuration_is_refused_with_its_name(broker: MockBroker) -> None:
    with pytest.raises(ProducerFailedError, match=r"no\.such\.property"):
        produce(broker, no_such_property=1)


def test_promises_cannot_be_configured_away(broker: MockBroker) -> None:
    producer = produce(broker, acks="0", enable_idempotence=False)
    answers = Answers()
    broker.answer(PRODUCE, 7)
    producer.send(ENVELOPE, b"x", answers)
    assert producer.flush(10) == 0
    producer.close()
    assert [m.value() for m in broker.messages("raw", 1)] == [b"x"]  # acks=0 would have lost it


@pytest.mark.integration
def test_the_largest_record_passes_a_real_broker(kafka: str) -> None:
    topic = f"d-producer-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka})
    limit = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    admin.create_topics([NewTopic(topic, 4, 1, config=limit)])[topic].result(20)
    try:
        producer, answers = RecordProducer({"bootstrap.servers": kafka}, topic), Answers()
        largest = b"".join(b"%08x" % (n * 2654435761 % (1 << 32)) for n in range(1 << 20))
        assert len(largest) == MAX_RECORD_BYTES
        producer.send(ENVELOPE, largest, answers)
        for number in range(50):
            producer.send(ENVELOPE, str(number).encode(), answers)
        assert producer.flush(30) == 0
        producer.close()
        assert answers == [None] * 51
        found = read(kafka, topic, 51)
        assert [m.value() for m in found] == [largest, *(b"%d" % n for n in range(50))]
        assert len({m.partition() for m in found}) == 1
    finally:
        admin.delete_topics([topic])[topic].result(20)
