"""A question to the broker, its answer out.

Separate from the producer because a collector that nobody sends to must know as well: without
traffic a producer notices nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from collections.abc import Mapping


class TopicProbe:
    """Asks for a topic's metadata over a connection of its own."""

    __slots__ = ("_client", "_topic")

    def __init__(self, config: Mapping[str, object], topic: str) -> None:
        """Prepare; does not wait for the broker. ``config`` as for `producer.RecordProducer`."""
        options: dict[str, Any] = {
            **config,
            "allow.auto.create.topics": False,
            "error_cb": _ignore,
        }
        self._client = AdminClient(options)
        self._topic = topic

    def missing(self, timeout_s: float) -> str | None:
        """Return what is missing, None when the topic can be written to; waits at most so long."""
        try:
            found = self._client.list_topics(self._topic, timeout=timeout_s).topics[self._topic]
        except KafkaException as error:
            return f"Kafka: {error.args[0].name()}"
        if found.error is not None:
            return f"topic {self._topic}: {found.error.name()}"
        return None


def _ignore(_: object) -> None:
    """Say nothing: `missing` reports what is wrong with the connection."""
