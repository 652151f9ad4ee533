"""Records and their envelopes in, messages of ``raw`` out, and for each the broker's answer.

Separate because every collector stands on the same promise (P1): a record counts as sent only when
all in-sync replicas have it. Callbacks run within ``poll`` and ``flush`` only, never in another
thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from ingest.envelope import Envelope, Headers, headers_of
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Answer = Callable[[str | None], None]
"""Told None once a record is in Kafka, else why it is not known to be there."""

HEADER_ROOM_BYTES: Final = 64 << 10
"""Room for key and headers beside the largest value; a path has at most 4 KiB (PATH_MAX)."""

MAX_MESSAGE_BYTES: Final = MAX_RECORD_BYTES + HEADER_ROOM_BYTES
"""``message.max.bytes`` here and ``max.message.bytes`` of the topic."""

QUEUE_BYTES: Final = 64 << 20
"""Most bytes that wait for Kafka; beyond it ``send`` asks to wait."""

QUEUE_MESSAGES: Final = 20_000
"""Most messages that wait: each costs about 1 KB of its own for headers and callback."""

_TUNING: Final[Mapping[str, object]] = {
    "compression.type": "zstd",
    "linger.ms": 10,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "queue.buffering.max.kbytes": QUEUE_BYTES >> 10,
    "queue.buffering.max.messages": QUEUE_MESSAGES,
    # Java's choice: whatever tool writes to `raw`, a cluster stays in its partition.
    "partitioner": "murmur2_random",
}
_PROMISES: Final[Mapping[str, object]] = {"acks": "all", "enable.idempotence": True}


_ATTEMPTS: Final = 3


class ProducerFullError(Exception):
    """As much waits for Kafka as may: poll, then send the same record again."""


class ProducerFailedError(Exception):
    """The producer can send nothing any more; the message has librdkafka's reason."""


class RecordProducer:
    """Sends records to one topic, keyed by their cluster.

    ``last_error`` is what librdkafka last complained of (no broker, wrong password), None if never:
    it goes on trying, so this is for logs and health only.
    """

    __slots__ = ("_answers", "_envelope", "_fatal", "_headers", "_producer", "_topic", "last_error")

    def __init__(self, config: Mapping[str, object], topic: str) -> None:
        """Start a producer; does not wait for the broker.

        Parameters
            config: librdkafka's own keys; they win over the tuning here, not over its promises.

        Raises
            ProducerFailedError: librdkafka does not take the configuration.
        """
        self.last_error: str | None = None
        self._fatal: str | None = None
        self._topic = topic
        self._answers: deque[tuple[Answer, str]] = deque()
        self._envelope: Envelope | None = None
        self._headers: Headers = []
        options: dict[str, Any] = {**_TUNING, **config, **_PROMISES, "error_cb": self._complain}
        try:
            self._producer = Producer(options)
        except KafkaException as error:
            raise ProducerFailedError(_text(error.args[0])) from error

    def __len__(self) -> int:
        """Count what is not answered yet, and events of the client that no poll has served."""
        return len(self._producer) + len(self._answers)

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        """Hand a record to the client; never waits.

        ``on_delivery`` is called once, within a later ``poll`` or ``flush``: with None when all
        in-sync replicas have the record, else with the reason why it is not known to be there.

        Raises
            ProducerFullError: no room; nothing was taken.
            ProducerFailedError: fatal, as in ``poll``.
        """
        self._check()
        if envelope is not self._envelope:  # whoever sends many at once makes one envelope
            self._envelope, self._headers = envelope, headers_of(envelope)
        try:
            self._producer.produce(
                self._topic,
                value,
                envelope.cluster.encode(),
                headers=self._headers,  # type: ignore[arg-type]  # a list of pairs is taken
                on_delivery=lambda error, _: on_delivery(None if error is None else _text(error)),
            )
        except BufferError as error:
            raise ProducerFullError(f"{len(self)} records wait for Kafka") from error
        except (KafkaException, SystemError) as error:
            reason = refusal_of(error)
            self._answers.append((on_delivery, _text(reason)))
            self._note(reason)

    def poll(self, timeout_s: float) -> None:
        """Serve callbacks, waiting for the first at most so long.

        Raises
            ProducerFailedError: librdkafka gave up for good (fenced, not authorized ...): only a
                new producer can go on. Whatever was not acknowledged may or may not be in Kafka.
        """
        with self._watched():
            self._producer.poll(0 if self._answers else timeout_s)
        self._answer()
        self._check()

    def flush(self, timeout_s: float) -> int:
        """Wait for answers; return how many are still missing. Raises as ``poll``."""
        missing = 0
        with self._watched():
            missing = self._producer.flush(timeout_s)
        self._answer()
        self._check()
        return missing

    def close(self) -> None:
        """Give up what is not acknowledged: its callbacks get an error; nothing is waited for."""
        with self._watched():
            self._producer.purge()
            self._producer.flush(1.0)
        self._answer()
        self._producer.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Note an error that librdkafka raises while it serves callbacks.

        Whatever a callback raises: confluent_kafka calls the next one while an exception is on its
        way, and then anything may go wrong in it (`'list' object has no attribute 'append'`).
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above; raised again if nothing was fatal
            if (said := _said_by_kafka(error)) is None:
                self._ask_again(error)
            else:
                self._complain(said)

    def _ask_again(self, error: BaseException) -> None:
        """Learn what was lost on the way: what comes out of confluent_kafka may say nothing."""
        for _ in range(_ATTEMPTS):
            try:
                self._producer.poll(0.1)
            except Exception as again:  # noqa: BLE001 - as in `_watched`
                if (said := _said_by_kafka(again)) is not None:
                    self._complain(said)
            if self._fatal or self._is_refused():
                return
        raise error

    def _is_refused(self) -> bool:
        """Whether librdkafka takes nothing any more: asked with what is too large to be taken."""
        try:
            self._producer.produce(self._topic, bytes(MAX_MESSAGE_BYTES + 1))
        except KafkaException as refused:
            error: KafkaError = refused.args[0]
            if error.code() != KafkaError.MSG_SIZE_TOO_LARGE:
                self._fatal = self._fatal or _text(error)
        except BufferError:
            pass
        return self._fatal is not None

    def _answer(self) -> None:
        for _ in range(len(self._answers)):
            on_delivery, reason = self._answers.popleft()
            on_delivery(reason)

    def _complain(self, error: KafkaError) -> None:
        self.last_error = _text(error)
        self._note(error)

    def _note(self, error: KafkaError) -> None:
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - librdkafka's name
            self._fatal = self._fatal or _text(error)

    def _check(self) -> None:
        if self._fatal:
            raise ProducerFailedError(self._fatal)


def refusal_of(error: KafkaException | SystemError) -> KafkaError:
    """Return what Kafka said; where nothing of Kafka is behind it, raise the error again.

    confluent_kafka calls back while it raises, and Python then makes a SystemError of the two.
    """
    said = _said_by_kafka(error)
    if said is None:
        raise error
    return said


def _said_by_kafka(error: BaseException) -> KafkaError | None:
    told: BaseException | None = error
    while isinstance(told, SystemError):
        told = told.__cause__
    return told.args[0] if isinstance(told, KafkaException) else None


def _text(error: KafkaError) -> str:
    """Name and message of an error, as people search for it."""
    return f"{error.name()}: {error.str()}"
