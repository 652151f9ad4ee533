"""What a member of the group is given, keeps and gives back, on a mock broker and on a real one."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.envelope import Envelope, Format, headers_of
from ingest.sources import group_offsets
from ingest.sources import kafka as source_module
from ingest.sources.kafka import Committed, KafkaFailedError, KafkaSource, Position, Record

LIMIT_S = 40.0
PARTITIONS = 4
"""As many as a topic of the mock broker has."""
ENVELOPE = Envelope("blue", "c1", Format.CANARY, datetime(2026, 11, 21, 12, tzinfo=UTC), "a.log")


class Owner:
    """Begins where it is told to; notes what it hears."""

    def __init__(self) -> None:
        self.starts: dict[int, int] = {}
        self.assigned: dict[int, Committed] = {}
        self.revoked: list[list[int]] = []
        self.lost: list[list[int]] = []
        self.skipped: list[tuple[int, int]] = []
        self.on_assign: Callable[[], None] = lambda: None
        self.on_revoke: Callable[[list[int]], object] = lambda _: None

    def assign(self, committed: list[Committed]) -> dict[int, int]:
        self.assigned.update({one.partition: one for one in committed})
        self.on_assign()
        return {
            one.partition: self.starts.get(one.partition, one.offset or one.low)
            for one in committed
        }

    def revoke(self, partitions: list[int]) -> None:
        self.revoked.append(sorted(partitions))
        self.on_revoke(partitions)

    def lose(self, partitions: list[int]) -> None:
        self.lost.append(sorted(partitions))

    def skip(self, partition: int, low: int) -> None:
        self.skipped.append((partition, low))


class Topic:
    """A topic of the test's own, messages put into it, and sources that read it."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self.bootstrap, self.name = bootstrap, name
        self.group = f"{name}-group"
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "message.max.bytes": 9 << 20,
                "compression.type": "none",
                "linger.ms": 5,
                "log_level": 0,
            }
        )
        self._producer.list_topics(name, LIMIT_S)  # a mock broker makes it now

    def put(self, *values: bytes, partition: int = 0, **options: Any) -> None:
        errors: list[object] = []
        for value in values:
            self._producer.produce(
                self.name,
                value,
                partition=partition,
                on_delivery=lambda error, _: errors.append(error),
                **options,
            )
        assert self._producer.flush(LIMIT_S) == 0
        assert errors == [None] * len(values)

    @contextmanager
    def source(self, owner: Owner | None = None, **config: Any) -> Iterator[KafkaSource]:
        """Give a source that has joined; it leaves without a word if the test did not close it."""
        connection = {"bootstrap.servers": self.bootstrap, "group.id": self.group}
        if config.get("group.protocol") != "consumer":
            connection |= {"session.timeout.ms": "6000", "heartbeat.interval.ms": "500"}
        source = KafkaSource({**connection, **config}, self.name, owner or Owner())
        source.start()
        try:
            yield source
        finally:
            source.abandon()


@pytest.fixture(scope="module")
def mock_broker() -> Iterator[str]:
    """Give librdkafka's own broker in memory: it knows groups, commits and metadata."""
    holder = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = holder.list_topics(timeout=LIMIT_S).brokers.values()
    yield f"{broker.host}:{broker.port}"
    holder.flush(0)


@contextmanager
def own_topic(bootstrap: str, partitions: int = PARTITIONS, **config: str) -> Iterator[Topic]:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    name = f"source-{uuid.uuid4().hex[:12]}"
    admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result(LIMIT_S)
    try:
        yield Topic(bootstrap, name)
    finally:
        admin.delete_topics([name])[name].result(LIMIT_S)


@pytest.fixture(params=["mock", pytest.param("real", marks=pytest.mark.integration)])
def topic(request: pytest.FixtureRequest) -> Iterator[Topic]:
    """Give the same test a mock broker and a real one."""
    if request.param == "real":
        with own_topic(request.getfixturevalue("kafka")) as made:
            yield made
        return
    made = Topic(request.getfixturevalue("mock_broker"), f"source-{uuid.uuid4().hex[:12]}")
    yield made


@pytest.fixture
def real_topic(kafka: str) -> Iterator[Topic]:
    with own_topic(kafka) as made:
        yield made


def take(source: KafkaSource, count: int, **batch: int) -> list[Record]:
    """Poll until there are so many records."""
    found: list[Record] = []
    deadline = time.monotonic() + LIMIT_S
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records"
        found += source.poll(batch.get("max_records", 100), 0.1)
    return found


def until(source: KafkaSource, condition: Callable[[], object]) -> list[Record]:
    """Poll until something holds; return what came meanwhile."""
    found: list[Record] = []
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        found += source.poll(100, 0.1)
    return found


def offsets(records: list[Record], partition: int = 0) -> list[int]:
    return [record.offset for record in records if record.partition == partition]


def test_records_come_in_order_with_envelope_value_and_time(topic: Topic) -> None:
    before_ms = int(time.time() * 1000)
    topic.put(b"first", headers=headers_of(ENVELOPE), key=b"blue")
    topic.put(b"second", key=b"green")
    topic.put(None)  # type: ignore[arg-type]  # a message may have no value
    with topic.source() as source:
        first, second, third = take(source, 3)
    assert [r.offset for r in (first, second, third)] == [0, 1, 2]
    assert (first.value, first.envelope, first.partition) == (b"first", ENVELOPE, 0)
    assert before_ms <= first.stored_ms <= int(time.time() * 1000)
    assert (second.envelope.cluster, second.envelope.collector) == ("green", "")
    assert int(second.envelope.received.timestamp() * 1000) == second.stored_ms
    assert (third.value, third.envelope.cluster) == (b"", "unknown")


def test_a_new_group_is_told_that_nothing_is_committed_and_begins_where_it_says(
    topic: Topic,
) -> None:
    topic.put(*[b"x"] * 5)
    topic.put(b"y", partition=1)
    owner = Owner()
    owner.starts = {0: 3}
    with topic.source(owner) as source:
        found = take(source, 3)
        assert source.high(0) == 5
        assert source.high(77) is None
    assert owner.assigned[0] == Committed(0, None, "", 0, 5)
    assert owner.assigned[1] == Committed(1, None, "", 0, 1)
    assert (offsets(found), offsets(found, 1)) == ([3, 4], [0])


def test_what_was_committed_comes_back_with_its_metadata_and_at_the_next_assignment(
    topic: Topic,
) -> None:
    topic.put(*[b"x"] * 5)
    metadata = '{"snapshot": "raw/0/1-ä.state"}'
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: owner.assigned)
        assert source.commit([Position(0, 2, metadata), Position(1, 0)]) == {}
        found = source.committed(0)
        assert found == Committed(0, 2, metadata, 0, 5)
        assert source.committed(99) is None
        source.close()
    after = Owner()
    with topic.source(after) as source:
        assert offsets(take(source, 3)) == [2, 3, 4]
    assert after.assigned[0] == Committed(0, 2, metadata, 0, 5)
    assert after.assigned[1].offset == 0


def test_what_a_member_is_not_told_another_client_asks(
    topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic.put(*[b"x"] * 3)
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: owner.assigned)
        assert source.commit([Position(0, 2, "kept")]) == {}
        source.close()
    monkeypatch.setattr(group_offsets, "MEMBER_TIMEOUT_S", 0.0)
    after = Owner()
    with topic.source(after) as source:
        assert offsets(take(source, 1)) == [2]
    assert after.assigned[0] == Committed(0, 2, "kept", 0, 3)


def test_a_partition_is_read_again_from_where_it_was_told(topic: Topic) -> None:
    topic.put(*[b"x"] * 6)
    with topic.source() as source:
        assert offsets(take(source, 6)) == [0, 1, 2, 3, 4, 5]
        source.seek(0, 4)
        assert offsets(take(source, 2)) == [4, 5]


def test_a_batch_has_no_more_records_than_asked_for(topic: Topic) -> None:
    topic.put(*[b"x"] * 7)
    with topic.source() as source:
        first = take(source, 1, max_records=3)
        assert len(first) <= 3
        rest = take(source, 7 - len(first), max_records=3)
    assert offsets(first + rest) == list(range(7))


def test_a_batch_ends_once_it_has_its_bytes(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "MAX_BATCH_BYTES", 200_000)
    topic.put(*[b"x" * 1_000] * 2_500)
    config = {"fetch.max.bytes": 50 << 20, "queued.max.messages.kbytes": 50_000}
    with topic.source(Owner(), **config) as one:
        first = take(one, 1, max_records=2_500)
        found = list(first)
        sizes = [len(first)]
        while len(found) < 2_500:
            batch = one.poll(2_500, 5.0)
            sizes.append(len(batch))
            found += batch
    assert offsets(found) == list(range(2_500))
    assert max(sizes) <= 1_200, "a batch goes on only while it is below its bytes"


def test_idling_takes_no_records_and_keeps_them_for_later(topic: Topic) -> None:
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        source.idle(0.05)
        topic.put(b"a", b"b")
        began = time.monotonic()
        source.idle(0.5)
        assert 0.5 <= time.monotonic() - began < 5
        assert source._held == []
        assert offsets(take(source, 2)) == [0, 1]
        assert owner.revoked == owner.lost == []


@pytest.mark.integration
def test_idling_for_longer_than_sessions_and_polls_may_last_keeps_the_membership(
    real_topic: Topic,
) -> None:
    owner = Owner()
    with real_topic.source(owner, **{"max.poll.interval.ms": 6_000}) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        source.idle(7.0)
        assert owner.revoked == owner.lost == []
        assert source.commit([Position(0, 0, "still ours")]) == {}


def test_a_partition_assigned_while_idling_gives_its_records_afterwards(topic: Topic) -> None:
    topic.put(b"a", b"b")
    owner = Owner()
    with topic.source(owner) as source:
        deadline = time.monotonic() + LIMIT_S
        while not owner.assigned:
            assert time.monotonic() < deadline
            source.idle(0.2)
        source.idle(0.5)
        assert offsets(take(source, 2)) == [0, 1]


def test_closing_revokes_everything_and_may_still_commit(topic: Topic) -> None:
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        refused: list[dict[int, str]] = []
        owner.on_revoke = lambda ps: refused.append(
            source.commit([Position(p, 0, "m") for p in ps])
        )
        source.close()
    assert owner.revoked == [list(range(PARTITIONS))]
    assert owner.lost == []
    assert refused == [{}]
    after = Owner()
    with topic.source(after) as source:
        until(source, lambda: len(after.assigned) == PARTITIONS)
    assert {one.metadata for one in after.assigned.values()} == {"m"}


def test_abandoning_loses_everything_without_making_it_safe(topic: Topic) -> None:
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        source.abandon()
    assert owner.revoked == []
    assert owner.lost == [list(range(PARTITIONS))]


def test_held_messages_of_a_partition_that_goes_are_dropped(topic: Topic) -> None:
    topic.put(b"a")
    topic.put(b"b", partition=1)
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        source.seek(0, 0)
        source.seek(1, 0)
        deadline = time.monotonic() + LIMIT_S
        while len(source._held) < 2:
            assert time.monotonic() < deadline
            source._held += source._consumer.consume(2, 0.1)
        source.seek(0, 0)
        assert [message.partition() for message in source._held] == [1]
        source.close()
        assert source._held == []


class OwnersError(Exception):
    """A refusal of the owner's own."""


def failing(*_: object) -> None:
    raise OwnersError


def test_what_the_owner_raises_comes_out_of_the_call_that_told_it(topic: Topic) -> None:
    owner = Owner()
    owner.on_assign = failing
    with topic.source(owner) as source, pytest.raises(OwnersError):
        until(source, lambda: False)
    owner = Owner()
    owner.on_revoke = failing
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        with pytest.raises(OwnersError):
            source.close()


def test_what_the_owner_raises_while_idling_comes_out_as_well(topic: Topic) -> None:
    owner = Owner()
    owner.on_assign = failing
    with topic.source(owner) as source, pytest.raises(OwnersError):
        source.idle(LIMIT_S)


def test_a_commit_to_a_broker_that_is_gone_names_the_partitions_and_raises_nothing() -> None:
    config = {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0}
    source = KafkaSource(config | {"session.timeout.ms": 1_000}, "none", Owner())
    refused = source.commit([Position(3, 1), Position(4, 1)])
    assert refused.keys() == {3, 4}
    assert all(refused.values())
    source.abandon()


def test_trouble_that_the_client_goes_on_from_is_told(topic: Topic) -> None:
    told: list[str] = []
    config = {"bootstrap.servers": "127.0.0.1:1", "group.id": topic.group, "log_level": 0}
    source = KafkaSource(config, topic.name, Owner(), told.append)
    source.start()
    until(source, lambda: told)
    assert all(isinstance(text, str) and text for text in told)
    source.abandon()


@pytest.mark.integration
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_what_goes_to_another_member_is_revoked_and_handed_out_no_more(
    real_topic: Topic, protocol: str
) -> None:
    one, two = Owner(), Owner()
    config = {"group.protocol": protocol}
    with real_topic.source(one, **config) as first:
        until(first, lambda: len(one.assigned) == PARTITIONS)
        one.on_revoke = lambda numbers: first.commit([Position(n, 0, "given") for n in numbers])
        with real_topic.source(two, **config) as second:
            deadline = time.monotonic() + LIMIT_S
            while not two.assigned:
                assert time.monotonic() < deadline
                first.poll(10, 0.1)
                second.poll(10, 0.1)
            while len(two.assigned) < PARTITIONS // 2:
                assert time.monotonic() < deadline
                second.poll(10, 0.1)
            gone = {number for numbers in one.revoked for number in numbers}
            kept = set(range(PARTITIONS)) - gone
            assert two.assigned.keys() == gone
            assert {one.metadata for one in two.assigned.values()} == {"given"}
            assert all(first.committed(number) is None for number in gone)
            for number in range(PARTITIONS):
                real_topic.put(b"x", b"y", partition=number)
            assert {r.partition for r in take(first, 4)} == kept
            assert {r.partition for r in take(second, 4)} == gone
            assert first.poll(10, 0.2) == second.poll(10, 0.2) == []


def test_a_partition_that_the_broker_refuses_is_named_with_its_reason(topic: Topic) -> None:
    owner = Owner()
    with topic.source(owner) as source:
        until(source, lambda: len(owner.assigned) == PARTITIONS)
        refused = source.commit([Position(0, 0), Position(57, 3)])
        assert 57 in refused
        assert "nknown" in refused[57]


@pytest.mark.integration
def test_offsets_that_retention_deleted_are_skipped_with_a_word(real_topic: Topic) -> None:
    real_topic.put(*[b"x"] * 10)
    real_topic.put(*[b"y"] * 3, partition=1)
    admin = AdminClient({"bootstrap.servers": real_topic.bootstrap})
    place = TopicPartition(real_topic.name, 0, 6)
    for future in admin.delete_records([place]).values():
        future.result(LIMIT_S)
    owner = Owner()
    owner.starts = {0: 2}
    with real_topic.source(owner) as source:
        found = take(source, 7)
        assert owner.assigned[0].low == 6
        assert source.committed(0) == Committed(0, None, "", 6, 10)
    assert owner.skipped == [(0, 6)]
    assert (offsets(found), offsets(found, 1)) == ([6, 7, 8, 9], [0, 1, 2])


@pytest.mark.integration
def test_records_as_large_as_the_topic_takes_come_whole(kafka: str) -> None:
    config = {"max.message.bytes": str(9 << 20)}
    with own_topic(kafka, 1, **config) as topic:
        large = [bytes([n]) * (8 << 20) for n in range(3)]
        for value in large:
            topic.put(value)
        with topic.source() as source:
            found = take(source, 3)
    assert [record.value for record in found] == large


@pytest.mark.integration
def test_a_topic_that_does_not_exist_stops_loudly(real_topic: Topic) -> None:
    config = {"bootstrap.servers": real_topic.bootstrap, "group.id": real_topic.group}
    source = KafkaSource(config, f"{real_topic.name}-missing", Owner())
    source.start()
    with pytest.raises(KafkaFailedError, match="nknown"):
        until(source, lambda: False)
    source.abandon()
