"""A topic becomes a bounded sequence of messages: from some place to what was its end.

Separate because the ledger, the quarantine's readers and replay all want a log as it stands, with
an end, without a group: nothing is committed, no worker is disturbed, any number may read at once.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

from ingest.envelope import read_envelope
from sinks.kafka_admin import KafkaAdmin, KafkaAdminError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from confluent_kafka import Message

    from ingest.envelope import Envelope

BATCH: Final = 1_000
"""Messages taken at once: one call of the client costs as much as several messages."""

_ANSWER_S: Final = 30.0
_POLL_S: Final = 1.0
_DEFAULTS: Final[Mapping[str, object]] = {
    # The client wants a name; nothing is ever committed under it and no group is joined.
    "group.id": "trailwarden-reader",
}

_FIXED: Final[Mapping[str, object]] = {
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
}


class TopicUnreadableError(Exception):
    """A topic cannot be read, or not to its end; the message names it and the client's reason."""


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of one partition: from ``first`` up to, not including, ``end``.

    ``low`` is the oldest offset that retention has left.
    """

    partition: int
    first: int
    end: int
    low: int


def spans_of(config: Mapping[str, object], topic: str, since: datetime | None = None) -> list[Span]:
    """Return what each partition holds now, from ``since`` (Kafka's timestamps) or its beginning.

    Raises
        TopicUnreadableError: the broker does not answer, or there is no such topic.
    """
    with _consumer(config, topic) as consumer:
        partitions = _partitions(consumer, topic)
        starts = _starts(consumer, topic, partitions, since) if since else {}
        spans = []
        for partition in partitions:
            low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), _ANSWER_S)
            spans.append(Span(partition, min(max(starts.get(partition, low), low), end), end, low))
    return spans


def committed_offsets(
    config: Mapping[str, object], topic: str, group: str, partitions: Iterable[int]
) -> dict[int, int]:
    """Return what a consumer group has committed; partitions without a commit are left out.

    Raises
        TopicUnreadableError: the broker does not answer or refuses.
    """
    try:
        return KafkaAdmin(config, _ANSWER_S).committed(group, topic, partitions)
    except KafkaAdminError as error:
        raise TopicUnreadableError(f"{topic}: {error}") from error


def read_messages(
    config: Mapping[str, object], topic: str, spans: Iterable[Span]
) -> Iterator[Message]:
    """Yield the messages of spans, each partition in its order.

    Raises
        TopicUnreadableError: the broker went away for half a minute, or refuses.
    """
    ends = {span.partition: span.end for span in spans if span.first < span.end}
    starts = [TopicPartition(topic, s.partition, s.first) for s in spans if s.partition in ends]
    with _consumer(config, topic) as consumer:
        consumer.assign(starts)
        silent_s = 0.0
        while ends:
            messages = consumer.consume(BATCH, _POLL_S)
            silent_s = 0.0 if messages else silent_s + _POLL_S
            if silent_s >= _ANSWER_S:
                raise TopicUnreadableError(f"{topic}: no message for {_ANSWER_S:.0f} s")
            for message in messages:
                if _is_wanted(message, topic, ends):
                    yield message


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message of ``raw`` without its value: where it stands and what its collector said."""

    partition: int
    offset: int
    envelope: Envelope


def read_arrivals(
    config: Mapping[str, object], topic: str, spans: Iterable[Span]
) -> Iterator[Arrival]:
    """Yield what headers, key and timestamp say of each message; as `read_messages` otherwise."""
    for message in read_messages(config, topic, spans):
        key, partition, offset = message.key(), message.partition(), message.offset()
        envelope = read_envelope(
            message.headers(),  # type: ignore[arg-type]  # a list of pairs is what comes
            key.encode() if isinstance(key, str) else key,
            message.timestamp()[1],
        )
        yield Arrival(partition or 0, offset or 0, envelope)


def _is_wanted(message: Message, topic: str, ends: dict[int, int]) -> bool:
    """Whether a message is before its partition's end; a partition that ended leaves ``ends``."""
    error, partition = message.error(), message.partition()
    offset = message.offset()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its name
        raise TopicUnreadableError(f"{topic}: {error.str()}")
    if partition is None or offset is None or partition not in ends:
        return False
    is_end = error is not None or offset + 1 >= ends[partition]
    is_wanted = error is None and offset < ends[partition]
    if is_end:
        del ends[partition]
    return is_wanted


class MessageLookup:
    """Finds single messages by their coordinates; close it when done."""

    __slots__ = ("_consumer",)

    def __init__(self, config: Mapping[str, object]) -> None:
        self._consumer = Consumer({**_DEFAULTS, **config, **_FIXED})

    def find(self, topic: str, partition: int, offset: int) -> Message | None:
        """Return a message; None where retention has deleted it or it never was.

        Raises
            TopicUnreadableError: the broker does not answer.
        """
        place = TopicPartition(topic, partition, offset)
        try:
            low, end = self._consumer.get_watermark_offsets(place, _ANSWER_S)
            if not low <= offset < end:
                return None
            self._consumer.assign([place])
            message = self._consumer.poll(_ANSWER_S)
        except KafkaException as error:
            raise TopicUnreadableError(f"{topic}: {error.args[0].str()}") from error
        if message is None:
            raise TopicUnreadableError(f"{topic}: no message for {_ANSWER_S:.0f} s")
        if _is_wanted(message, topic, {partition: offset + 1}) and message.offset() == offset:
            return message
        return None

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


@contextmanager
def _consumer(config: Mapping[str, object], topic: str) -> Iterator[Consumer]:
    """Open a consumer; what the client raises names the topic."""
    consumer = Consumer({**_DEFAULTS, **config, **_FIXED})
    try:
        yield consumer
    except KafkaException as error:
        raise TopicUnreadableError(f"{topic}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _partitions(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, _ANSWER_S).topics[topic]
    if found.error is not None:
        raise TopicUnreadableError(f"{topic}: {found.error.str()}")
    return sorted(found.partitions)


def _starts(
    consumer: Consumer, topic: str, partitions: list[int], since: datetime
) -> dict[int, int]:
    at_ms = int(since.timestamp() * 1000)
    asked = [TopicPartition(topic, partition, at_ms) for partition in partitions]
    found = consumer.offsets_for_times(asked, _ANSWER_S)
    # No message is as young: read nothing, from the end on.
    return {p.partition: p.offset if p.offset != OFFSET_END else 1 << 62 for p in found}
