"""Signals of correlations across clusters, and how far each raw partition came, go between workers.

Workers write both into the topic `signals`, members with the role `correlate` read them. A group's
signals share a key, hence a partition. How far `raw` was read goes into every partition, behind the
signals that it speaks for: they were acknowledged before. Separate from the fold because bytes and
rows meet here only. MessagePack and not JSON: 64-bit hashes and times come back as they were.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import polars as pl

from detectors.correlation.sent import SENT
from ingest.schema import DTYPES
from sinks.topic_writer import TopicWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from detectors.correlation.sent import Sent


class SignalsError(Exception):
    """Signals cannot be written: the worker must stop, never skip."""


class Signal(msgspec.Struct, array_like=True, frozen=True, tag="signal"):
    """One signal, its columns in the order of `detectors.correlation.sent.SENT`.

    Its identity is (correlation, part, base, event): the same event read again is the same signal.
    """

    correlation: str
    part: int
    base: int
    key: int
    time: int
    event: str
    value: int | None
    number: int | None
    peer: int | None
    audit: str | None
    text: str | None
    document: dict[str, Any]
    """Columns of the event that a finding may show, without those that are empty."""


class Passed(msgspec.Struct, array_like=True, frozen=True, tag="passed"):
    """How far one partition of `raw` was read when a checkpoint had made it safe."""

    partition: int
    partitions: int
    """How many `raw` has."""
    watermark_us: int | None
    """The time that all its clusters have passed which are alive; None: it has no cluster."""
    is_whole: bool
    """Whether it was read to its end."""
    sent_us: int
    """The sender's clock."""


Message = Signal | Passed
_DECODER: Final = msgspec.msgpack.Decoder(Message)
_ENCODER: Final = msgspec.msgpack.Encoder()

_ANSWER_S: Final = 5.0
_UNKNOWN_MOST: Final = 10
"""Times that a broker may say that there is no such topic: one that just started may be wrong."""

_TIME: Final = "@timestamp"


def messages_of(found: Sent) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of a message for each signal."""
    rows = found.signals.iter_rows(named=True)
    documents = found.documents.iter_rows(named=True)
    for key, row, document in zip(found.together, rows, documents, strict=True):
        shown = {name: value for name, value in document.items() if value is not None}
        yield key.encode(), _ENCODER.encode(Signal(**row, document=shown))


def read_message(value: bytes) -> Message | None:
    """Return what a message says; None for what is none of ours."""
    try:
        found: Message = _DECODER.decode(value)
    except msgspec.MsgspecError:
        return None
    if isinstance(found, Signal) and not isinstance(found.document.get(_TIME), datetime):
        return None  # no finding could be made of it
    return found


def signal_frames(signals: Sequence[Signal]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return signals as rows under SENT, and the documents of their events, row by row."""
    rows = [[getattr(one, name) for name in SENT] for one in signals]
    columns = {name for one in signals for name in one.document if name in DTYPES}
    schema = {name: dtype for name, dtype in DTYPES.items() if name in columns}
    documents = [{name: one.document.get(name) for name in schema} for one in signals]
    return (
        pl.DataFrame(rows, schema=SENT, orient="row"),
        pl.DataFrame(documents, schema=schema, strict=False),
    )


@dataclass(slots=True)
class SignalCounts:
    """Signals that the brokers were given."""

    sent: int = 0


@dataclass(slots=True)
class _Waiting:
    signals: list[tuple[bytes, bytes]] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)


class Writer(Protocol):
    """What writes; see `sinks.topic_writer.TopicWriter`."""

    def add(self, value: bytes, key: bytes, partition: int = -1) -> None:
        """Hand a message over."""

    def flush(self, timeout_s: float) -> bool:
        """Return whether all were acknowledged within the time."""

    def partitions(self, topic: str, timeout_s: float) -> int | None:
        """Return how many partitions a topic has, 0 if it is unknown, None if nobody answers."""


class SignalsTopic:
    """Writes signals, then how far partitions came; opens nothing before there is anything."""

    def __init__(
        self,
        open_writer: Callable[[], Writer],
        topic: str,
        raw_topic: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.counts = SignalCounts()
        self._open_writer = open_writer
        self._topic, self._raw_topic = topic, raw_topic
        self._clock = clock
        self._waiting = _Waiting()
        self._writer: Writer | None = None
        self._partitions: tuple[int, int] | None = None
        self._unknown = 0

    def add(self, found: Sent) -> None:
        """Take a batch's signals; nothing is sent yet."""
        self._waiting.signals += messages_of(found)

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        """Take how far a partition of `raw` came: everything before was acknowledged."""
        sent_us = int(self._clock() * 1_000_000)
        self._waiting.passed.append(Passed(partition, 0, watermark_us, is_whole, sent_us))

    def flush(self, timeout_s: float) -> bool:
        """Send what is pending; whether the brokers have all of it. May be called again.

        Raises
            SignalsError: the brokers refuse for good, or the topic is missing.
        """
        if self._writer is None:
            if not self._waiting.signals and not self._waiting.passed:
                return True
            self._writer = self._open_writer()
        numbers = self._partitions or self._look_up(self._writer)
        if numbers is None:
            return False
        self._hand_over(self._writer, *numbers)
        return self._writer.flush(timeout_s)

    def _look_up(self, writer: Writer) -> tuple[int, int] | None:
        """Return how many partitions `signals` and `raw` have; None while nobody answers."""
        own = writer.partitions(self._topic, _ANSWER_S)
        raw = own and writer.partitions(self._raw_topic, _ANSWER_S)
        self._partitions = (own, raw) if own and raw else None
        self._unknown += own == 0
        if self._unknown > _UNKNOWN_MOST:
            raise SignalsError(f"{self._topic}: there is no such topic; run `trailwarden setup`")
        return self._partitions

    def _hand_over(self, writer: Writer, own: int, raw: int) -> None:
        signals, self._waiting.signals = self._waiting.signals, []
        for key, value in signals:  # a refusal half-way stops the worker; all of it is repeated
            writer.add(value, key)
            self.counts.sent += 1
        told, self._waiting.passed = self._waiting.passed, []
        for passed in told:
            known = max(raw, passed.partition + 1)  # partitions were added since it was looked up
            value = _ENCODER.encode(msgspec.structs.replace(passed, partitions=known))
            for number in range(own):
                writer.add(value, b"", number)


def signals_topic(config: Mapping[str, object], topic: str, raw_topic: str) -> SignalsTopic:
    """Return the topic as a worker writes it.

    Parameters
        config: librdkafka's own keys: who we are, where the brokers are.
    """
    return SignalsTopic(lambda: TopicWriter(config, topic, SignalsError), topic, raw_topic)
