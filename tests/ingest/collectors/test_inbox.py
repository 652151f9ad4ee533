"""What foreign shippers wrote is in `raw` before its offset is committed, whoever owns it."""

from __future__ import annotations

import json
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.collectors.inbox import Inbox, InboxOptions
from ingest.collectors.producer import Answer, ProducerFailedError, RecordProducer
from ingest.envelope import Envelope, Format, read_envelope
from tests.ingest.collectors.mock_broker import count, read

pytestmark = pytest.mark.integration
WRITTEN_MS = 1_700_000_000_123


def event(number: int) -> bytes:
    return b'{"kind":"Event","auditID":"%06d"}' % number


class Withholding:
    """Takes records and answers only when told: `raw` that is slow, or away."""

    def __init__(self) -> None:
        self.on_the_way: deque[tuple[Envelope, bytes, Answer]] = deque()

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        self.on_the_way.append((envelope, value, on_delivery))

    def poll(self, _: float) -> None:
        pass

    def flush(self, _: float) -> int:
        return len(self.on_the_way)

    def answer(self, place: int, error: str | None = None) -> None:
        on_delivery = self.on_the_way[place][2]
        del self.on_the_way[place]
        on_delivery(error)


class GivingUp(Withholding):
    """Takes records, then can do nothing any more: its rights were taken away."""

    def flush(self, _: float) -> int:
        raise ProducerFailedError("not authorized")


@dataclass
class Topics:
    """Inbox topics and a raw one of this test alone."""

    servers: str
    prefix: str
    admin: AdminClient

    @property
    def config(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.servers, "session.timeout.ms": 6000, "log_level": 2}

    @property
    def raw(self) -> str:
        return f"{self.prefix}-raw"

    def topic(self, name: str) -> str:
        return f"{self.prefix}.{name}"

    def create(self, *names: str, partitions: int = 2) -> None:
        made = self.admin.create_topics([NewTopic(name, partitions, 1) for name in names])
        for future in made.values():
            future.result(20)

    def write(self, topic: str, *values: bytes | None, **options: Any) -> None:
        producer = Producer({"bootstrap.servers": self.servers})
        for number, value in enumerate(values):
            producer.produce(topic, value, partition=number % 2, timestamp=WRITTEN_MS, **options)
        assert producer.flush(20) == 0

    def committed(self, topic: str) -> list[int]:
        consumer = Consumer({**self.config, "group.id": self.prefix})
        try:
            places = [TopicPartition(topic, number) for number in (0, 1)]
            return [place.offset for place in consumer.committed(places, 20)]
        finally:
            consumer.close()


@pytest.fixture
def topics(kafka: str) -> Iterator[Topics]:
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = Topics(kafka, f"d-inbox-{uuid.uuid4().hex[:8]}", admin)
    yield topics
    names = [
        name for name in admin.list_topics(timeout=20).topics if name.startswith(topics.prefix)
    ]
    for future in admin.delete_topics(names).values():
        future.result(20)
    for deleted in admin.delete_consumer_groups([topics.prefix]).values():
        deleted.exception(20)


def inbox_of(
    topics: Topics, folder: Path, sender: Any, clusters: dict[str, str] | None = None
) -> Inbox:
    options = InboxOptions(f"{topics.prefix}.", clusters or {}, "mover", folder, revoke_s=2.0)
    return Inbox(topics.config, topics.prefix, options, sender, note=lambda *_, **__: None)


def run(inboxes: list[Inbox], done: Callable[[], object], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "nothing happened"
        for inbox in inboxes:
            inbox.step(datetime.now(UTC), time.monotonic())


def test_records_are_moved_unwrapped_with_key_and_envelope(topics: Topics, tmp_path: Path) -> None:
    first, second = topics.topic("prod-eu"), topics.topic("x")
    topics.create(first, second, topics.raw)
    forged = {"tw-cluster": b"other", "tw-format": b"canary"}
    topics.write(
        first, event(1), b"[" + event(2) + b"," + event(3) + b"]", headers=forged, key=b"k"
    )
    topics.write(second, json.dumps({"log": event(4).decode()}).encode(), b"nonsense", None)
    sender = RecordProducer(topics.config | {"session.timeout.ms": 6000}, topics.raw)
    inbox = inbox_of(topics, tmp_path, sender, {second: "from-settings"})
    run([inbox], lambda: inbox.counts.acknowledged == 5 and inbox.counts.refused["empty"] == 1)
    inbox.close()
    sender.close()
    found = {
        (m.key(), m.value(), read_envelope(m.headers(), None, 0))
        for m in read(topics.servers, topics.raw, 5)
    }
    received = datetime.fromtimestamp(WRITTEN_MS / 1000, UTC)

    def moved(cluster: str, value: bytes, topic: str) -> tuple[bytes, bytes, Envelope]:
        kind = Format.RECORD
        return cluster.encode(), value, Envelope(cluster, "mover", kind, received, topic)

    assert found == {
        *(moved("prod-eu", event(number), first) for number in (1, 2, 3)),
        moved("from-settings", event(4), second),
        moved("from-settings", b"nonsense", second),
    }
    assert (topics.committed(first), topics.committed(second)) == ([1, 1], [2, 1])


def test_nothing_is_committed_before_raw_has_all_before_it(topics: Topics, tmp_path: Path) -> None:
    topic = topics.topic("a")
    topics.create(topic)
    both = b"[" + event(2) + b"," + event(3) + b"]"
    topics.write(topic, event(1), event(9), both, event(9), event(4))
    sender = Withholding()
    inbox = inbox_of(topics, tmp_path, sender)
    run([inbox], lambda: len(sender.on_the_way) == 6)
    order = [value for _, value, _ in sender.on_the_way]
    sender.answer(order.index(event(1)))
    order.remove(event(1))
    sender.answer(order.index(event(3)))  # its neighbour in the same message is missing
    order.remove(event(3))
    sender.answer(order.index(event(4)))
    inbox.step(datetime.now(UTC), time.monotonic() + 5)
    assert topics.committed(topic)[0] == 1
    inbox.close()
    again = Withholding()
    other = inbox_of(topics, tmp_path, again)
    run([other], lambda: len(again.on_the_way) == 5)
    assert sorted(value for _, value, _ in again.on_the_way) == sorted(
        [event(2), event(3), event(4), event(9), event(9)]
    )
    other.close()


def test_a_refused_record_is_sent_again_before_its_offset_passes(
    topics: Topics, tmp_path: Path
) -> None:
    topic = topics.topic("a")
    topics.create(topic)
    topics.write(topic, event(1))
    sender = Withholding()
    inbox = inbox_of(topics, tmp_path, sender)
    run([inbox], lambda: sender.on_the_way)
    sender.answer(0, "TOPIC_AUTHORIZATION_FAILED: no")
    run([inbox], lambda: sender.on_the_way)
    assert topics.committed(topic)[0] <= 0
    sender.answer(0)
    inbox.step(datetime.now(UTC), time.monotonic() + 60)
    assert topics.committed(topic)[0] == 1
    inbox.close()


def test_partitions_change_owners_without_a_loss(topics: Topics, tmp_path: Path) -> None:
    topic = topics.topic("a")
    topics.create(topic, topics.raw)
    senders = [RecordProducer({"bootstrap.servers": topics.servers}, topics.raw) for _ in "12"]
    one = inbox_of(topics, tmp_path, senders[0])
    topics.write(topic, *(event(number) for number in range(500)))
    run([one], lambda: one.counts.acknowledged > 0)
    two = inbox_of(topics, tmp_path, senders[1])
    topics.write(topic, *(event(number) for number in range(500, 1000)))
    run([one, two], lambda: two.counts.acknowledged > 0 or one.counts.acknowledged >= 1000)
    one.close()
    topics.write(topic, *(event(number) for number in range(1000, 1200)))
    run([two], lambda: topics.committed(topic) == [600, 600])
    two.close()
    for sender in senders:
        sender.close()
    records = count(topics.servers, topics.raw)
    found = {message.value() for message in read(topics.servers, topics.raw, records)}
    assert found == {event(number) for number in range(1200)}


def aks(cluster: str, *events: bytes) -> bytes:
    place = "/SUBSCRIPTIONS/0/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS"
    records = [
        {
            "category": "kube-audit",
            "resourceId": f"{place}/{cluster}",
            "properties": {"log": one.decode()},
        }
        for one in events
    ]
    return json.dumps({"records": records}).encode()


@pytest.mark.parametrize("is_believed", [True, False])
def test_an_envelope_names_the_cluster_where_it_is_believed(
    topics: Topics, tmp_path: Path, is_believed: bool
) -> None:
    topic = topics.topic("hub")
    topics.create(topic, topics.raw)
    topics.write(topic, aks("RED", event(1), event(2)))
    sender = Withholding()
    believed = frozenset({topic}) if is_believed else frozenset()
    options = InboxOptions(f"{topics.prefix}.", {}, "mover", tmp_path, 2.0, believed)
    inbox = Inbox(topics.config, topics.prefix, options, sender, note=lambda *_, **__: None)
    run([inbox], lambda: len(sender.on_the_way) == 2)
    clusters = {envelope.cluster.lower() for envelope, _, _ in sender.on_the_way}
    assert clusters == ({"red"} if is_believed else {"hub"})
    assert [raw for _, raw, _ in sender.on_the_way] == [event(1), event(2)]
    inbox.close()


def test_an_end_without_a_producer_leaves_the_group_and_commits_nothing(
    topics: Topics, tmp_path: Path
) -> None:
    topic = topics.topic("prod")
    topics.create(topic, topics.raw)
    topics.write(topic, event(1), event(2))
    sender = GivingUp()
    inbox = inbox_of(topics, tmp_path, sender)
    run([inbox], lambda: len(sender.on_the_way) == 2)
    inbox.close()
    assert max(topics.committed(topic)) <= 0
