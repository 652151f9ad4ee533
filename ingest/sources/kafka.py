"""Messages of the topic `raw` come out in batches; positions go back as commits with metadata.

Separate from the worker so that everything librdkafka does differently from what the worker thinks
of (callbacks inside polls, paused partitions that still deliver, errors as messages) ends here.
Source: librdkafka CONFIGURATION.md and confluent_kafka.Consumer; KIP-429 (incremental rebalances),
KIP-848 (`group.protocol=consumer`), KIP-345 (static membership).
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from ingest.envelope import Envelope, read_envelope
from ingest.sources.group_offsets import committed_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_PIECE: Final = 1_000
"""Messages taken from librdkafka at once: between two pieces the bytes are counted."""

MAX_BATCH_BYTES: Final = 64 << 20
"""Bytes of a batch at most: records may have 8 MiB each, ordinary ones 2.5 kB."""

_FETCH_BYTES: Final = 4 << 20
"""Bytes of one answer to a fetch, as they are stored: librdkafka unpacks all of them at once, and
audit records pack ten to one and better. With 64 MiB a worker's peak was 1,018 MB on the recording
(2026-11-21), whatever the queue's limit. A larger record comes all the same (KIP-74)."""

_BROKER_TIMEOUT_S: Final = 30.0

_PASSING: Final = frozenset(
    {
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.FETCH_SESSION_ID_NOT_FOUND,
        KafkaError.INVALID_FETCH_SESSION_EPOCH,
    }
)
"""Errors that Kafka's protocol calls retriable and librdkafka does not: it goes on all the same."""

_NOT_LET_IN: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})  # noqa: SLF001 - librdkafka's public names
"""A wrong password, or a certificate that the other side does not trust. librdkafka would ask again
for ever; a client that has no partition reads nothing meanwhile, which must not look like quiet."""


class KafkaFailedError(Exception):
    """The client cannot go on: rights, a fenced instance id, a topic that is gone."""


@contextmanager
def _told() -> Iterator[None]:
    """Let nobody else need to know librdkafka's exceptions."""
    try:
        yield
    except KafkaException as error:
        raise KafkaFailedError(str(error.args[0])) from error


@dataclass(frozen=True, slots=True)
class Record:
    """One message: its place, its bytes, what the collector said of it, and Kafka's own time."""

    partition: int
    offset: int
    value: bytes
    envelope: Envelope
    stored_ms: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """What the group last committed for a partition, and which offsets the topic still has.

    ``offset`` is None where nothing was ever committed. ``low`` is the first offset there is,
    ``high`` the one that the next message will have.
    """

    partition: int
    offset: int | None
    metadata: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Position:
    """The next offset to be read of a partition, with what is to be kept beside it."""

    partition: int
    offset: int
    metadata: str = ""


class Owner(Protocol):
    """Who is told about partitions. All calls come out of `KafkaSource.poll` and `idle`."""

    def assign(self, committed: list[Committed]) -> dict[int, int]:
        """Take partitions over; return the offset to begin at for each."""

    def revoke(self, partitions: list[int]) -> None:
        """Finish or give up partitions; commits are still accepted while this runs."""

    def lose(self, partitions: list[int]) -> None:
        """Give up partitions that another member may have already; nothing can be committed."""

    def skip(self, partition: int, low: int) -> None:
        """Learn that records before ``low`` were deleted before they were read."""


class KafkaSource:
    """A member of the workers' consumer group."""

    def __init__(
        self,
        config: Mapping[str, Any],
        topic: str,
        owner: Owner,
        on_error: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Join nothing yet: `start` does.

        Parameters
            config: librdkafka settings of the connection, the group and its protocol.
            on_error: told the text of what librdkafka reports and goes on from.
        """
        own = {
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "fetch.max.bytes": _FETCH_BYTES,
            "max.partition.fetch.bytes": _FETCH_BYTES >> 2,
            "queued.max.messages.kbytes": MAX_BATCH_BYTES >> 12,
            "fetch.queue.backoff.ms": 10,
            "error_cb": self._complain,
        }
        if config.get("group.protocol") != "consumer":
            own["partition.assignment.strategy"] = "cooperative-sticky"
        self._config = {**own, **config}
        self._consumer = Consumer(self._config)
        self._topic = topic
        self._owner = owner
        self._on_error = on_error
        self._held: list[Message] = []
        self._is_paused = False
        self._is_abandoned = False
        self._partitions: set[int] = set()
        self._failure: BaseException | None = None
        self._said: tuple[Any, ...] = ()
        self._last_envelope: Envelope

    def start(self) -> None:
        """Join the group; partitions come with the first polls."""
        self._consumer.subscribe(
            [self._topic], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        """Return the next records of all partitions, each partition's in order.

        Waits up to ``timeout_s`` for ``max_records``. May call the owner.

        Raises
            KafkaFailedError: the client cannot go on.
        """
        with _told():
            return self._poll(max_records, timeout_s)

    def _poll(self, max_records: int, timeout_s: float) -> list[Record]:
        self._resume()
        found, self._held = self._held, []
        deadline = time.monotonic() + timeout_s
        size = 0
        while len(found) < max_records and size < MAX_BATCH_BYTES:
            left_s = deadline - time.monotonic()
            piece = self._consumer.consume(min(_PIECE, max_records - len(found)), max(0.0, left_s))
            self._raise_failure()
            found += piece
            size += sum(len(message) for message in piece)
            if left_s <= 0:
                break
        return [self._record(message) for message in found if self._is_record(message)]

    def idle(self, timeout_s: float) -> None:
        """Let time pass as a member of the group, taking no records. May call the owner.

        Raises
            KafkaFailedError: the client cannot go on.
        """
        with _told():
            self._idle(timeout_s)

    def _idle(self, timeout_s: float) -> None:
        self._pause()
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            message = self._consumer.poll(left_s)
            self._raise_failure()
            if message is not None:  # of a partition that came while we waited
                self._held.append(message)
                self._pause()

    def commit(self, positions: list[Position]) -> dict[int, str]:
        """Commit synchronously; return the partitions that were refused, with the reason.

        A refusal means that another member owns the partition by now, or that the broker did not
        answer: the caller may do it again, and nothing is lost if it never does.

        Raises
            KafkaFailedError: the client cannot go on.
        """
        offsets = [
            TopicPartition(self._topic, p.partition, p.offset, p.metadata) for p in positions
        ]
        try:
            done = self._consumer.commit(offsets=offsets, asynchronous=False) or []
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if reason.fatal():
                raise KafkaFailedError(reason.str()) from error
            return dict.fromkeys([p.partition for p in positions], reason.str())
        return {one.partition: one.error.str() for one in done if one.error}

    def committed(self, partition: int) -> Committed | None:
        """Return what is committed for a partition now, None if it is not assigned to us.

        Raises
            KafkaFailedError: the broker does not tell.
        """
        with _told():
            ours = [one for one in self._consumer.assignment() if one.partition == partition]
            return self._committed(ours)[0] if ours else None

    def high(self, partition: int) -> int | None:
        """Return the offset that the partition's next message will have, as last heard."""
        low_high = self._consumer.get_watermark_offsets(
            TopicPartition(self._topic, partition), cached=True
        )
        return None if low_high is None or low_high[1] < 0 else int(low_high[1])

    def seek(self, partition: int, offset: int) -> None:
        """Go on reading a partition at another offset.

        Raises
            KafkaFailedError: the partition is not being read.
        """
        self._held = [m for m in self._held if m.partition() != partition]
        with _told():
            self._consumer.seek(TopicPartition(self._topic, partition, offset))

    def close(self) -> None:
        """Leave the group. Calls the owner's `revoke` for what is still held."""
        self._consumer.close()
        self._raise_failure()

    def abandon(self) -> None:
        """Leave the group at once, without the owner making anything safe."""
        self._is_abandoned = True
        self._consumer.close()

    def _pause(self) -> None:
        self._is_paused = True
        self._consumer.pause(self._consumer.assignment())

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._consumer.resume(self._consumer.assignment())

    def _complain(self, error: KafkaError) -> None:
        """Tell of an error that librdkafka goes on from, but for one it never gets past."""
        if error.code() in _NOT_LET_IN and not self._partitions:
            self._failure = self._failure or KafkaFailedError(error.str())
        else:
            self._on_error(error.str())

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            self._partitions |= {one.partition for one in partitions}
            starts = self._owner.assign(self._committed(partitions))
            begin = [TopicPartition(self._topic, p, offset) for p, offset in starts.items()]
            consumer.incremental_assign(begin)
            # A pause outlives the assignment in librdkafka: what was paused when it was taken away
            # comes back paused.
            (consumer.pause if self._is_paused else consumer.resume)(begin)
        except KafkaException as error:
            self._failure = KafkaFailedError(str(error.args[0]))
        except BaseException as error:  # noqa: BLE001 - raised again once librdkafka returns
            self._failure = error

    def _committed(self, partitions: list[TopicPartition]) -> list[Committed]:
        answers = committed_offsets(self._consumer, self._config, partitions)
        found = []
        for one in answers:
            if one.error:
                raise KafkaException(one.error)
            low, high = self._consumer.get_watermark_offsets(one, timeout=_BROKER_TIMEOUT_S)
            offset = one.offset if one.offset >= 0 else None
            found.append(Committed(one.partition, offset, one.metadata or "", low, high))
        return found

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        tell = self._owner.lose if self._is_abandoned else self._owner.revoke
        self._give_up(consumer, partitions, tell)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(consumer, partitions, self._owner.lose)

    def _give_up(
        self,
        consumer: Consumer,
        partitions: list[TopicPartition],
        tell: Callable[[list[int]], None],
    ) -> None:
        numbers = [one.partition for one in partitions]
        self._partitions.difference_update(numbers)
        self._held = [m for m in self._held if m.partition() not in numbers]
        try:
            tell(numbers)
            consumer.incremental_unassign(partitions)
        except BaseException as error:  # noqa: BLE001 - raised again once librdkafka returns
            self._failure = error

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - as above
            self._skip(message.partition())
            return False
        if error.fatal() or not (error.retriable() or error.code() in _PASSING):
            raise KafkaException(error)
        self._on_error(error.str())
        return False

    def _skip(self, partition: int | None) -> None:
        one = TopicPartition(self._topic, partition or 0)
        low, _ = self._consumer.get_watermark_offsets(one, timeout=_BROKER_TIMEOUT_S)
        self._owner.skip(one.partition, low)
        # A partition that was stopped so takes no seek: it must be assigned anew.
        self._held = [m for m in self._held if m.partition() != one.partition]
        self._consumer.incremental_unassign([one])
        self._consumer.incremental_assign([TopicPartition(self._topic, one.partition, low)])

    def _record(self, message: Message) -> Record:
        _, timestamp_ms = message.timestamp()
        return Record(
            message.partition() or 0,
            message.offset() or 0,
            message.value() or b"",
            self._envelope(message.headers(), message.key(), timestamp_ms),
            timestamp_ms,
        )

    def _envelope(self, *said: Any) -> Envelope:
        """Read an envelope; collectors give one to all records that they took at once."""
        if said != self._said:
            self._said, self._last_envelope = said, read_envelope(*said)
        return self._last_envelope
