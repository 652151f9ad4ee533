"""Messages of the topics ``inbox.*`` in, records of ``raw`` out, keyed by their cluster.

Separate topics, because whoever may write there must not name the cluster: the topic does, and the
headers that a foreign shipper wrote are ignored. An offset is committed only when ``raw`` has all
records of every message before it (P1); one that moves to another owner before is moved again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, TopicPartition

from ingest.collectors.counts import CollectorCounts
from ingest.collectors.opening import opened
from ingest.collectors.outbox import Outbox
from ingest.collectors.producer import ProducerFailedError
from ingest.collectors.salvaging import fit, head_of, spool
from ingest.envelope import Envelope, Format

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from confluent_kafka import Message

    from ingest.collectors.outbox import Sender

BATCH_MESSAGES: Final = 500
COMMIT_INTERVAL_S: Final = 1.0
IDLE_WAIT_S: Final = 0.1

_CONSUMER: Final[Mapping[str, object]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "allow.auto.create.topics": False,
    "topic.metadata.refresh.interval.ms": 10_000,  # new topics: the default is 5 minutes
    "queued.max.messages.kbytes": 16 << 10,
    "fetch.max.bytes": 16 << 20,
    "max.partition.fetch.bytes": 9 << 20,
}


class InboxFailedError(Exception):
    """The consumer cannot go on; the message has librdkafka's reason."""


@dataclass(frozen=True, slots=True)
class InboxOptions:
    """Which topics to move and what their records are said to be.

    ``believed`` are topics whose records' cloud envelopes name the cluster.
    """

    prefix: str
    clusters: Mapping[str, str]
    collector: str
    spool: Path
    revoke_s: float = 10.0
    believed: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Partition:
    """One partition that is ours: the messages on their way, in order, and the next offset."""

    place: tuple[str, int]
    messages: deque[_Message] = field(default_factory=deque)
    next_offset: int = -1
    committed: int = -1
    lost: bool = False

    @property
    def done(self) -> int:
        """Offset before which everything is in ``raw``; -1 if nothing was read."""
        return self.messages[0].offset if self.messages else self.next_offset

    def settle(self) -> None:
        while self.messages and self.messages[0].left == 0:
            self.messages.popleft()


@dataclass(slots=True)
class _Message:
    """One message, and how many of its records ``raw`` does not have yet."""

    partition: _Partition
    offset: int
    left: int


@dataclass(slots=True)
class _Parcel:
    """One record on its way."""

    message: _Message
    envelope: Envelope
    value: bytes

    def arrive(self) -> None:
        """Learn that Kafka has it."""
        self.value = b""
        self.message.left -= 1
        self.message.partition.settle()


class Inbox:
    """A member of the group that empties the inbox. One thread; `step` does the work."""

    def __init__(
        self,
        config: Mapping[str, object],
        group: str,
        options: InboxOptions,
        sender: Sender,
        *,
        note: Callable[..., None],
        counts: CollectorCounts | None = None,
    ) -> None:
        """Join the group.

        Parameters
            config: librdkafka's keys of the connection.
            sender: of ``raw``; its messages should not time out.
            note: told of partitions and failures: a name and fields, never content.

        Raises
            InboxFailedError: librdkafka does not take the configuration.
        """
        self.counts = counts or CollectorCounts()
        self._options = options
        self._sender = sender
        self._note = note
        self._outbox = Outbox(sender, self.counts, options.spool, note)
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._unsent: deque[_Parcel] = deque()
        self._paused = False
        self._commit_at = float("-inf")
        consumer: dict[str, Any] = {**_CONSUMER, **config, "group.id": group}
        pattern = "^" + options.prefix.replace(".", "\\.") + ".*"
        try:
            self._consumer = Consumer(consumer)
            self._consumer.subscribe([pattern], on_revoke=self._revoke, on_lost=self._lose)
        except KafkaException as error:
            raise InboxFailedError(error.args[0].str()) from error

    def step(self, now: datetime, clock_s: float) -> None:
        """Move some messages; waits a moment if there are none.

        Raises
            ProducerFailedError: from the producer.
            InboxFailedError: the consumer can do nothing any more.
        """
        self._sender.poll(0)
        moved = self._outbox.resend(now, clock_s) and self._send(now)
        self._pause(not moved)
        for message in self._consume():
            self._take(message, now)
        self._send(now)
        if clock_s >= self._commit_at:
            self._commit_at = clock_s + COMMIT_INTERVAL_S
            self._commit(list(self._partitions.values()))
        if self._paused:
            self._sender.poll(IDLE_WAIT_S)

    def close(self) -> None:
        """Finish what was taken, commit it, leave the group."""
        self._unsent.clear()
        self._finish(list(self._partitions.values()))
        self._consumer.close()

    def _pause(self, wanted: bool) -> None:
        """Take no more while ``raw`` takes none; polls go on, so that we stay in the group.

        Each time anew: partitions may have come that are not paused.
        """
        if wanted:
            self._consumer.pause(self._consumer.assignment())
        elif self._paused:
            self._consumer.resume(self._consumer.assignment())
        self._paused = wanted

    def _consume(self) -> list[Message]:
        try:
            return self._consumer.consume(BATCH_MESSAGES, 0.0 if self._unsent else IDLE_WAIT_S)
        except KafkaException as error:
            raise InboxFailedError(error.args[0].str()) from error

    def _take(self, message: Message, now: datetime) -> None:
        if error := message.error():
            if error.fatal():
                raise InboxFailedError(error.str())
            self._note("not_read", topic=message.topic(), reason=error.str())
            return
        topic, number, offset = str(message.topic()), message.partition(), message.offset()
        if number is None or offset is None:
            return
        place = topic, number
        partition = self._partitions.setdefault(place, _Partition(place))
        parcels = self._parcels(message, topic, partition, offset, now)
        if parcels:
            partition.messages.append(parcels[0].message)
        partition.next_offset = offset + 1
        self._unsent += parcels

    def _parcels(
        self, message: Message, topic: str, partition: _Partition, offset: int, now: datetime
    ) -> list[_Parcel]:
        value = message.value()
        if not value:
            self.counts.refused["empty"] += 1
            return []
        held = list(opened(value))
        records = [one for one in held if one.refusal is None]
        self.counts.refused["not-wanted"] += len(held) - len(records)
        received = _received(message.timestamp(), now)
        envelopes = {
            said: Envelope(
                self._cluster(topic, said),
                self._options.collector,
                Format.RECORD,
                received,
                topic,
            )
            for said in {one.cluster for one in records}
        }
        source = _Message(partition, offset, len(records))
        return [_Parcel(source, *self._fit(envelopes[one.cluster], one.raw)) for one in records]

    def _fit(self, envelope: Envelope, record: bytes) -> tuple[Envelope, bytes]:
        fitted = fit(record) or head_of(record)
        if fitted.salvage is None:
            return envelope, record
        kept = spool(self._options.spool, record)
        self.counts.salvaged += 1
        self._note(
            "too_large", source=envelope.source, size_bytes=len(record), spooled=kept is not None
        )
        return Envelope(
            envelope.cluster,
            envelope.collector,
            envelope.format,
            envelope.received,
            envelope.source,
            fitted.salvage,
        ), fitted.value

    def _cluster(self, topic: str, said: str | None) -> str:
        """Return whose records they are: what an envelope says counts only where it is believed."""
        options = self._options
        if said and topic in options.believed:
            return said
        return options.clusters.get(topic) or topic.removeprefix(options.prefix) or topic

    def _send(self, now: datetime) -> bool:
        """Send what was taken, but for partitions that are not ours any more; False if full."""
        while self._unsent:
            lost = self._unsent[0].message.partition.lost
            if not lost and not self._outbox.send(self._unsent[0], now):
                return False
            self._unsent.popleft()
        return True

    def _commit(self, partitions: list[_Partition]) -> None:
        """Commit what is in ``raw``. A refused commit is repeated, or the next owner repeats it."""
        due = [one for one in partitions if one.done > one.committed]
        offsets = [TopicPartition(*one.place, one.done) for one in due]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            self._note("not_committed", reason=error.args[0].str())
            return
        for one, offset in zip(due, offsets, strict=True):
            one.committed = offset.offset

    def _finish(self, partitions: list[_Partition]) -> None:
        """Wait a little for what is on its way, then commit what arrived."""
        if any(partition.messages for partition in partitions):
            try:
                self._sender.flush(self._options.revoke_s)
            except ProducerFailedError as error:  # the next owner repeats what did not arrive
                self._note("not_sent", reason=str(error))
        self._commit(partitions)

    def _revoke(self, _: Consumer, places: list[TopicPartition]) -> None:
        """Finish partitions that another member gets; what was not sent yet, it will send."""
        gone = self._drop(places)
        self._finish(gone)
        self._note("revoked", partitions=len(places))

    def _lose(self, _: Consumer, places: list[TopicPartition]) -> None:
        """Give up partitions that another member may have already: it repeats what is not done."""
        self._drop(places)
        self._note("lost", partitions=len(places))

    def _drop(self, places: list[TopicPartition]) -> list[_Partition]:
        keys = [(place.topic, place.partition) for place in places]
        gone = [self._partitions.pop(key) for key in keys if key in self._partitions]
        for partition in gone:
            partition.lost = True
        return gone


def _received(timestamp: tuple[int, int], now: datetime) -> datetime:
    """Return when the message came into Kafka, as the message says."""
    kind, time_ms = timestamp
    if kind == TIMESTAMP_NOT_AVAILABLE:
        return now
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return now
