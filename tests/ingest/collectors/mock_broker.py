"""librdkafka's own mock cluster, and the errors that it answers with on demand.

It keeps about 5 MB per partition: good for errors, never for counting what is there.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import confluent_kafka
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

PRODUCE = 0
FETCH = 1
OFFSET_COMMIT = 8
INIT_PRODUCER_ID = 22


def _library() -> ctypes.CDLL:
    folder = Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs"
    return ctypes.CDLL(str(next(folder.glob("librdkafka-*"))))


class MockBroker:
    """A cluster of one broker that lives as long as this object."""

    def __init__(self) -> None:
        self._librdkafka = _library()
        self._librdkafka.rd_kafka_handle_mock_cluster.restype = ctypes.c_void_p
        self._librdkafka.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
        self._owner = Producer({"test.mock.num.brokers": 1, "log_level": 2})
        self._cluster = ctypes.c_void_p(
            self._librdkafka.rd_kafka_handle_mock_cluster(handle_of(self._owner))
        )

    @property
    def bootstrap_servers(self) -> str:
        found: bytes = self._librdkafka.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return found.decode()

    def create(self, topic: str, partitions: int = 1) -> None:
        self._librdkafka.rd_kafka_mock_topic_create(
            self._cluster, topic.encode(), partitions, ctypes.c_int(1)
        )

    def answer(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind (an API key) with these error codes."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._librdkafka.rd_kafka_mock_push_request_errors_array(
            self._cluster, ctypes.c_int16(request), ctypes.c_size_t(len(errors)), codes
        )

    def go_down(self) -> None:
        self._librdkafka.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(1))

    def come_up(self) -> None:
        self._librdkafka.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(1))

    def fail_for_good(self, producer: Producer, code: int, reason: str) -> None:
        """Raise a fatal error within a producer, as librdkafka does when it is fenced."""
        self._librdkafka.rd_kafka_test_fatal_error(
            handle_of(producer), ctypes.c_int(code), reason.encode()
        )

    def messages(self, topic: str, count: int) -> list[Any]:
        """Read so many messages of a topic from its beginning."""
        return read(self.bootstrap_servers, topic, count)


def handle_of(client: Producer) -> ctypes.c_void_p:
    """Return the rd_kafka_t of a client: the first field behind the object's header."""
    return ctypes.c_void_p.from_address(id(client) + object.__basicsize__)


def read(bootstrap_servers: str, topic: str, count: int, timeout_s: float = 10.0) -> list[Any]:
    """Read at least so many messages, fewer only when the time is over."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "reads without a group",
            "enable.auto.commit": False,
            "fetch.message.max.bytes": 9 << 20,
        }
    )
    try:
        partitions = consumer.list_topics(topic, timeout_s).topics[topic].partitions
        consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in partitions])
        found: list[Any] = []
        rounds = int(timeout_s / 0.1)
        while len(found) < count and (rounds := rounds - 1):
            found += [m for m in consumer.consume(1000, 0.1) if not m.error()]
        return found
    finally:
        consumer.close()


def count(bootstrap_servers: str, topic: str) -> int:
    """Count the messages of a topic whose partitions were never cut."""
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "counts only"})
    try:
        partitions = consumer.list_topics(topic, 10).topics[topic].partitions
        ends = (consumer.get_watermark_offsets(TopicPartition(topic, n), 10) for n in partitions)
        return sum(end[1] for end in ends)
    finally:
        consumer.close()
