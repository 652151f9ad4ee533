"""Kafka and the archive become the ledger: every message is counted again, from the stores alone.

Separate from the arithmetic (`worker.ledger`) because this is where it reads. Only keys and headers
are looked at; it joins no group and disturbs no worker. Memory: one count per cluster, hour and
partition, and 100 bytes for each id in quarantine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ingest.envelope import UNKNOWN_CLUSTER
from sinks.archive import hour_of, list_segments
from sinks.quarantine import (
    CLUSTER,
    INDEX_STAGE,
    OFFSET,
    PARTITION,
    RECEIVED,
    STAGE,
    TOPIC,
    read,
)
from sinks.topic_reader import Span, committed_offsets, read_arrivals, spans_of
from worker.ledger import Found, Log, PartitionLedger, account, comparable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sinks.archive import Segment

_NEVER: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Stores:
    """Where the ledger reads: the broker's ``config``, topics, the workers' group, the archive."""

    config: Mapping[str, object]
    raw: str
    quarantine: str
    group: str
    archive: Path


@dataclass(slots=True)
class _Partition:
    """One partition while it is counted; messages from ``first`` up to ``end`` are compared."""

    log: Log
    segments: list[Segment]
    first: int
    end: int
    found: Found

    def holds(self, offset: int) -> bool:
        """Whether a message is compared."""
        return self.first <= offset < self.end

    def expects_refused(self) -> bool:
        """Whether a segment says that something is in quarantine."""
        return any(c.quarantined for segment in self.segments for c in segment.counts.values())


def take_ledger(stores: Stores, since: datetime | None = None) -> list[PartitionLedger]:
    """Count everything that Kafka still has, from ``since`` on, and compare.

    Raises
        TopicUnreadableError: a topic cannot be read.
        ArchiveDamagedError: a footer cannot be read.
    """
    # Commits before segments: what is committed now must be archived by then.
    spans = spans_of(stores.config, stores.raw, since)
    numbers = [span.partition for span in spans]
    committed = committed_offsets(stores.config, stores.raw, stores.group, numbers)
    partitions = {span.partition: _opened(stores, span, committed) for span in spans}
    _count_messages(stores, partitions)
    # No topic is asked for what no segment claims: it may not exist before the first refusal.
    if any(partition.expects_refused() for partition in partitions.values()):
        _count_quarantined(stores, partitions)
    return [account(p.log, p.segments, p.found) for p in partitions.values()]


def _opened(stores: Stores, span: Span, committed: Mapping[int, int]) -> _Partition:
    number = span.partition
    log = Log(number, span.low, span.first, span.end, committed.get(number))
    segments = list_segments(stores.archive, stores.raw, number, from_offset=span.first)
    compared = comparable(segments, span.first)
    archived = segments[-1].next if segments else span.first
    first = compared[0].first if compared else archived
    return _Partition(log, segments, first, archived, Found())


def _count_messages(stores: Stores, partitions: dict[int, _Partition]) -> None:
    wanted = [
        # What was archived since the ends were asked for is there to be counted as well.
        Span(number, max(p.first, p.log.start), max(p.end, p.log.end), p.log.low)
        for number, p in partitions.items()
    ]
    for arrival in read_arrivals(stores.config, stores.raw, wanted):
        partition, envelope = partitions[arrival.partition], arrival.envelope
        if partition.holds(arrival.offset):
            partition.found.messages[envelope.cluster, hour_of(envelope.received)] += 1
        else:
            partition.found.pending += 1


def _count_quarantined(stores: Stores, partitions: dict[int, _Partition]) -> None:
    for document in read(stores.config, stores.quarantine):
        if document.get(STAGE) == INDEX_STAGE or document.get(TOPIC) != stores.raw:
            continue
        partition = partitions.get(document.get(PARTITION, -1))
        if partition and partition.holds(document.get(OFFSET, -1)):
            cluster = document.get(CLUSTER) or UNKNOWN_CLUSTER
            partition.found.quarantined[cluster, hour_of(_time(document.get(RECEIVED)))] += 1


def _time(text: object) -> datetime:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return _NEVER
