"""Messages go into a topic of ours, and whoever hands them over learns when the brokers have them.

Separate from what is written: refused records, and signals of correlations across clusters, need
the same promises. `ingest.collectors.producer` makes others: it tells of each record alone.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.collectors.producer import refusal_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from confluent_kafka import Message

_ROOM_WAIT_S: Final = 30.0
_ANYWHERE: Final = -1
"""The partition is that of the key."""

_TUNING: Final[Mapping[str, object]] = {
    "compression.type": "zstd",
    "linger.ms": 5,
}
_PROMISES: Final[Mapping[str, object]] = {
    "acks": "all",
    "enable.idempotence": True,
    # For ever: what is given up would be lost. Whoever waits has the deadline (`flush`).
    "message.timeout.ms": 0,
}


class TopicWriter:
    """Writes messages; none is forgotten before the brokers have it or `discard` is called."""

    __slots__ = ("_failed", "_failure", "_producer", "_topic")

    def __init__(self, config: Mapping[str, object], topic: str, failed: type[Exception]) -> None:
        """Start a producer; does not wait for the broker.

        Parameters
            config: librdkafka's own keys: who we are, where the brokers are.
            failed: what is raised when the brokers refuse for good.
        """
        self._topic = topic
        self._failed = failed
        self._failure: str | None = None
        options: dict[str, Any] = {**_TUNING, **config, **_PROMISES, "error_cb": self._complain}
        self._producer = Producer(options)

    def __len__(self) -> int:
        """Count messages that are not acknowledged yet."""
        return len(self._producer)

    def add(self, value: bytes, key: bytes, partition: int = _ANYWHERE) -> None:
        """Hand a message over; waits only where thousands wait already.

        Raises
            what was given as ``failed``: the brokers refuse, or take nothing for half a minute.
        """
        try:
            self._produce(value, key, partition)
        except BufferError:
            self._poll(_ROOM_WAIT_S)
            try:
                self._produce(value, key, partition)
            except BufferError as error:
                raise self._failed(f"{self._topic}: {len(self)} messages wait") from error
        self._poll(0)
        self._check()

    def flush(self, timeout_s: float) -> bool:
        """Wait for acknowledgements; whether all are there. May be called again.

        Raises
            what was given as ``failed``: the brokers refuse for good.
        """
        with self._told():
            missing = self._producer.flush(timeout_s)
        self._check()
        return missing == 0

    def discard(self) -> None:
        """Give up what is not acknowledged."""
        self._producer.purge()
        with suppress(self._failed), self._told():
            self._producer.flush(1.0)
        self._failure = None

    def partitions(self, topic: str, timeout_s: float) -> int | None:
        """Return how many partitions a topic has, 0 if it is unknown, None if nobody answers.

        Raises
            what was given as ``failed``: it may not be seen.
        """
        try:
            found = self._producer.list_topics(topic, timeout_s).topics[topic]
        except KafkaException:
            self._check()
            return None
        if found.error is None:
            return len(found.partitions)
        if found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise self._failed(f"{topic}: {found.error.name()}: {found.error.str()}")
        return 0

    def _produce(self, value: bytes, key: bytes, partition: int) -> None:
        with self._told():
            self._producer.produce(self._topic, value, key, partition, on_delivery=self._answered)

    def _poll(self, timeout_s: float) -> None:
        with self._told():
            self._producer.poll(timeout_s)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let nobody else need to know what the client raises when it gives up for good."""
        try:
            yield
        except (KafkaException, SystemError) as error:
            reason = refusal_of(error)
            raise self._failed(f"{self._topic}: {reason.name()}: {reason.str()}") from error

    def _answered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failure = self._failure or f"{error.name()}: {error.str()}"

    def _complain(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's name
            self._failure = self._failure or f"{error.name()}: {error.str()}"

    def _check(self) -> None:
        if self._failure:
            raise self._failed(f"{self._topic}: {self._failure}")
