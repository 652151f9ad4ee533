"""Topics of a real broker that a test makes and removes, and messages put into them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

Headers = list[tuple[str, str | bytes | None]]


@contextmanager
def fresh_topic(bootstrap: str, prefix: str, partitions: int = 2) -> Iterator[str]:
    """Make a topic of its own name; it is deleted afterwards."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    name = f"{prefix}-{uuid.uuid4().hex[:12]}"
    made = admin.create_topics([NewTopic(name, partitions, 1)])
    made[name].result(30)
    try:
        yield name
    finally:
        admin.delete_topics([name])[name].result(30)


class Sender:
    """Puts messages into a topic at known places, one by one."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
        self._topic = topic

    def send(
        self, value: bytes, partition: int = 0, key: bytes = b"blue", headers: Headers | None = None
    ) -> int:
        """Return the message's offset."""
        offsets: list[int] = []

        def answered(error: object, message: object) -> None:
            assert error is None, error
            offsets.append(message.offset())  # type: ignore[attr-defined]  # a Message

        self._producer.produce(
            self._topic, value, key, partition, headers=headers or [], on_delivery=answered
        )
        assert self._producer.flush(30) == 0
        return offsets[0]
