"""The last minutes of `raw` in, who was heard of in them and how right their clocks are out.

Separate because it is the only check that reads records, and must end in time on a topic of any
rate: it reads slices of a minute, newest first, within a number of messages and a deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from ingest.envelope import Format, read_envelope
from sinks.topic_reader import Span, read_messages, spans_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from worker.counts import Source

SLICE: Final = timedelta(seconds=60)
"""Two canary intervals of the default: each source that lived then was heard of."""

AGES: Final = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=24))
"""How long ago further slices begin: whoever was heard of then is known."""

MESSAGES: Final = 200_000
"""Messages read in all: some seconds. A topic with more in 90 s cannot be judged from outside."""

DEADLINE_S: Final = 15.0
_LOG_APPEND_TIME: Final = 2
"""confluent_kafka.TIMESTAMP_LOG_APPEND_TIME: the broker's clock."""


@dataclass(slots=True)
class Tail:
    """What the slices hold.

    ``heard``: when the broker last stored a canary of each source. ``clock_off_s``: by how much
    each collector's clock is ahead of the broker's at least, by (cluster, collector), of the newest
    slice. ``newest``: the latest time the broker stored anything. ``is_whole``: the newest slice
    was read to its end, so that a source not heard of in it is silent.
    """

    heard: dict[Source, datetime] = field(default_factory=dict)
    clock_off_s: dict[tuple[str, str], float] = field(default_factory=dict)
    newest: datetime | None = None
    messages: int = 0
    is_whole: bool = True


def read_tail(
    config: Mapping[str, object],
    topic: str,
    now: datetime,
    silence: timedelta,
    clock: Callable[[], float],
) -> Tail:
    """Read the newest slice, as long as ``silence`` or a minute, and the older ones.

    Parameters
        clock: monotonic seconds.

    Raises
        sinks.topic_reader.TopicUnreadableError: the topic cannot be read.
    """
    tail = Tail()
    deadline = clock() + DEADLINE_S
    begin = now - max(silence, SLICE)

    def read(spans: list[Span], *, new: bool) -> bool:
        """Return whether all of it was read."""
        for message in _messages(config, topic, spans):
            if tail.messages >= MESSAGES or clock() > deadline:
                return False
            tail.messages += 1
            _note(tail, message, new=new)
        return True

    tail.is_whole = read(spans_of(config, topic, begin), new=True)
    for age in AGES:
        if not read(_between(config, topic, now - age, min(now - age + SLICE, begin)), new=False):
            break
    return tail


def _between(
    config: Mapping[str, object], topic: str, begin: datetime, end: datetime
) -> list[Span]:
    ends = {span.partition: span.first for span in spans_of(config, topic, end)}
    return [
        Span(span.partition, span.first, min(span.end, ends[span.partition]), span.low)
        for span in spans_of(config, topic, begin)
    ]


def _messages(config: Mapping[str, object], topic: str, spans: list[Span]) -> Iterator[Any]:
    wanted = [span for span in spans if span.first < span.end]
    return read_messages(config, topic, wanted) if wanted else iter(())


def _note(tail: Tail, message: Any, *, new: bool) -> None:
    kind, timestamp_ms = message.timestamp()
    envelope = read_envelope(cast("Any", message.headers()), message.key(), timestamp_ms)
    stored = datetime.fromtimestamp(max(timestamp_ms, 0) / 1000, UTC)
    tail.newest = stored if tail.newest is None else max(tail.newest, stored)
    if envelope.format is Format.CANARY:
        source = envelope.cluster, envelope.collector, envelope.source
        tail.heard[source] = max(tail.heard.get(source, stored), stored)
    if new and kind == _LOG_APPEND_TIME and envelope.collector:
        key = envelope.cluster, envelope.collector
        off_s = (envelope.received - stored).total_seconds()
        tail.clock_off_s[key] = max(tail.clock_off_s.get(key, off_s), off_s)
