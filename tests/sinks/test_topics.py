"""Topics as they should be: the difference, what is done about it, and what is left to people."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from ingest.collectors.producer import MAX_MESSAGE_BYTES
from ingest.salvage import MAX_RECORD_BYTES
from sinks.kafka_admin import KafkaAdmin, KafkaAdminError, TopicState
from sinks.topics import DAY_S, Topic, TopicOptions, apply, changes, compare, desired_topics
from worker.services.kafka import LocalKafka

ONE = TopicState(64, 1, {})


def state(topic: Topic, replicas: int = 1) -> TopicState:
    in_sync = {1: "1", 2: "1", 3: "2"}[replicas]
    return TopicState(
        topic.partitions, replicas, {**topic.config, "min.insync.replicas": in_sync, "own": "x"}
    )


def test_raw_is_wanted_large_short_and_with_the_brokers_clock() -> None:
    raw, signals, quarantine = desired_topics(TopicOptions())
    assert (raw.partitions, signals.partitions, quarantine.partitions) == (64, 8, 4)
    assert raw.config["retention.ms"] == str(3 * DAY_S * 1000)
    assert raw.config["message.timestamp.type"] == "LogAppendTime"
    assert int(raw.config["max.message.bytes"]) == MAX_MESSAGE_BYTES > MAX_RECORD_BYTES
    assert quarantine.config["retention.ms"] == str(30 * DAY_S * 1000)
    for topic in (raw, signals, quarantine):
        assert topic.config["cleanup.policy"] == "delete"
        assert topic.config["compression.type"] == "producer"
        # A closed segment is the least that Kafka deletes.
        assert int(topic.config["segment.ms"]) <= int(topic.config["retention.ms"]) / 10


def test_few_partitions_of_raw_are_few_of_all() -> None:
    assert [topic.partitions for topic in desired_topics(TopicOptions(partitions=1))] == [1, 1, 1]


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
def test_a_new_topic_needs_two_copies_where_one_may_be_away(replicas: int, in_sync: str) -> None:
    (change,) = compare(Topic("raw", 64, {"a": "b"}), None, replicas)
    assert change.before is None
    assert change.after == {
        "partitions": 64,
        "replication_factor": replicas,
        "config": {"a": "b", "min.insync.replicas": in_sync},
    }


def test_a_topic_that_is_as_wanted_has_no_difference() -> None:
    for topic in desired_topics(TopicOptions()):
        assert compare(topic, state(topic), 1) == []
        assert compare(topic, state(topic, 3), 3) == []


def test_a_setting_that_drifted_is_corrected_alone() -> None:
    raw = desired_topics(TopicOptions())[0]
    present = state(raw)
    drifted = replace(present, config={**present.config, "retention.ms": "5"})
    (change,) = compare(raw, drifted, 1)
    assert (change.before, change.after) == ({"retention.ms": "5"}, {"retention.ms": "259200000"})
    assert not change.is_drift


def test_in_sync_replicas_follow_the_copies_there_are_so_that_writes_go_on() -> None:
    raw = desired_topics(TopicOptions())[0]
    found = compare(raw, state(raw, 1), 3)
    assert [change.is_drift for change in found] == [True]
    assert found[0].after == {"replication_factor": 3}


@pytest.mark.parametrize("present", [32, 128])
def test_other_numbers_of_partitions_are_told_when_asked_for_and_never_changed(
    present: int,
) -> None:
    asked = desired_topics(TopicOptions(partitions=64))[0]
    (change,) = compare(asked, replace(state(asked), partitions=present), 1)
    assert change.is_drift
    assert (change.before, change.after) == ({"partitions": present}, {"partitions": 64})
    unasked = desired_topics(TopicOptions())[0]
    assert compare(unasked, replace(state(unasked), partitions=present), 1) == []


@pytest.fixture
def options(kafka: str) -> Iterator[TopicOptions]:
    prefix = f"f-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}-{name}" for name in ("raw", "quarantine", "signals")]
    yield TopicOptions(names[0], names[1], names[2], partitions=2, replication_factor=1)
    admin = AdminClient({"bootstrap.servers": kafka})
    present = set(admin.list_topics(timeout=20).topics)
    made = [name for name in names if name in present]
    for future in admin.delete_topics(made).values() if made else ():
        future.result(20)


@pytest.mark.integration
def test_topics_are_made_once_and_corrected_in_place(kafka: str, options: TopicOptions) -> None:
    config = {"bootstrap.servers": kafka}
    wanted = changes(config, options)
    assert [(change.name, change.before) for change in wanted] == [
        (options.raw, None),
        (options.signals, None),
        (options.quarantine, None),
    ]
    assert KafkaAdmin(config).topics([options.raw]) == {}  # nothing was made by looking
    assert apply(config, options) == wanted
    assert apply(config, options) == changes(config, options) == []

    admin = KafkaAdmin(config)
    admin.alter_topic(options.raw, {"retention.ms": "60000", "segment.bytes": "20000000"})
    (change,) = apply(config, options)
    assert change.before == {"retention.ms": "60000"}
    present = admin.topics([options.raw])[options.raw]
    assert present.config["retention.ms"] == "259200000"
    assert present.config["segment.bytes"] == "20000000"  # not ours: it stays
    assert (present.partitions, present.replication_factor) == (2, 1)

    more = replace(options, partitions=3)
    (left,) = apply(config, more)
    assert left.is_drift
    assert admin.topics([options.raw])[options.raw].partitions == 2


@pytest.mark.integration
def test_a_record_of_the_largest_size_that_does_not_compress_is_taken(
    kafka: str, options: TopicOptions
) -> None:
    apply({"bootstrap.servers": kafka}, options)
    producer = Producer({"bootstrap.servers": kafka, "message.max.bytes": MAX_MESSAGE_BYTES})
    errors: list[object] = []
    value = uuid.uuid4().bytes * (MAX_RECORD_BYTES // 16)
    producer.produce(options.raw, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(30) == 0
    assert errors == [None]


@pytest.mark.integration
def test_a_topic_made_by_somebody_else_meanwhile_is_no_error(
    kafka: str, options: TopicOptions
) -> None:
    admin = KafkaAdmin({"bootstrap.servers": kafka})
    admin.create_topic(options.raw, 1, 1, {})
    admin.create_topic(options.raw, 1, 1, {})


@pytest.mark.integration
def test_what_the_broker_refuses_is_told_in_its_words(kafka: str, options: TopicOptions) -> None:
    with pytest.raises(KafkaAdminError, match=options.raw) as raised:
        apply({"bootstrap.servers": kafka}, replace(options, replication_factor=7))
    assert raised.value.refused


@pytest.mark.integration
def test_a_group_that_never_was_has_no_members_and_the_whole_topic_as_lag(
    kafka: str, options: TopicOptions
) -> None:
    config = {"bootstrap.servers": kafka}
    apply(config, options)
    producer = Producer(config)
    for _ in range(3):
        producer.produce(options.raw, b"x", partition=1)
    assert producer.flush(20) == 0
    admin = KafkaAdmin(config)
    found = admin.group(options.raw, options.raw)
    assert (found.members, found.committed, found.lag) == (0, {}, {0: 0, 1: 3})
    assert admin.ends(options.raw) == {0: 0, 1: 3}
    assert {"READ", "WRITE"} <= (admin.allowed(options.raw) or set())
    with pytest.raises(KafkaAdminError, match="does not exist") as raised:
        admin.group(options.raw, f"{options.raw}-not")
    assert raised.value.refused


@pytest.mark.integration
def test_a_broker_that_never_had_a_group_is_asked_without_harm(own_kafka: LocalKafka) -> None:
    # librdkafka issue 5040: a coordinator that is still being made ended the process.
    admin = KafkaAdmin({"bootstrap.servers": own_kafka.bootstrap})
    admin.create_topic("raw", 1, 1, {})
    for _ in range(3):
        found = admin.group("g", "raw")
        assert (found.members, found.committed, found.lag) == (0, {}, {0: 0})


def test_a_broker_that_is_away_is_named_with_the_reason() -> None:
    with pytest.raises(KafkaAdminError, match=r"127\.0\.0\.1:1.*refused") as raised:
        KafkaAdmin({"bootstrap.servers": "127.0.0.1:1"}, timeout_s=2.0).brokers()
    assert not raised.value.refused


def test_settings_that_the_client_does_not_know_are_refused() -> None:
    with pytest.raises(KafkaAdminError, match="No such configuration property"):
        KafkaAdmin({"bootstrap.servers": "127.0.0.1:1", "no.such.setting": "1"})
