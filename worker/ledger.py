"""Counts of messages, of footers and of quarantine in; what is missing of a partition out (P8).

Separate from reading those counts (`worker.accounting`): this is arithmetic on values. What lies
behind the archive's last offset is pending, not missing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from sinks.archive import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sinks.archive import Segment
    from sinks.archive.segment import ClusterHour


class Kind(StrEnum):
    """What can fail to add up."""

    GAP = "gap"
    OVERLAP = "overlap"
    LOST = "lost"
    COMMITTED = "committed"
    RECEIVED = "received"
    BALANCE = "balance"
    ROWS = "rows"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Difference:
    """Two figures of a partition that should be equal; of one cluster and hour where they are."""

    partition: int
    kind: Kind
    expected: int
    found: int
    detail: str
    cluster: str | None = None
    hour: datetime | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """What Kafka says of a partition.

    Attributes
        low: oldest offset that retention has left.
        start: offset that was counted from: ``low``, or that of the time asked for.
        end: offset behind the newest.
        committed: offset that the workers have committed; None where they have none.
    """

    partition: int
    low: int
    start: int
    end: int
    committed: int | None = None


@dataclass(slots=True)
class Found:
    """What was counted in the range that is compared, per cluster and hour of receipt.

    ``pending`` are messages behind the archive; ``quarantined`` are distinct ids in quarantine.
    """

    messages: Counter[ClusterHour] = field(default_factory=Counter)
    quarantined: Counter[ClusterHour] = field(default_factory=Counter)
    pending: int = 0


@dataclass(frozen=True, slots=True)
class PartitionLedger:
    """One partition's account.

    Messages from ``compared_from`` up to ``archived`` were counted again; both are None where
    there is nothing to compare with. ``counts`` are the footers' of that range.
    """

    log: Log
    compared_from: int | None
    archived: int | None
    pending: int
    counts: dict[ClusterHour, Counts]
    received: dict[ClusterHour, int]
    differences: list[Difference]


def comparable(segments: Sequence[Segment], start: int) -> list[Segment]:
    """Return the segments that lie wholly behind ``start``: what is older cannot be recounted."""
    return [segment for segment in segments if segment.first >= start]


def account(log: Log, segments: Sequence[Segment], found: Found) -> PartitionLedger:
    """Compare what was counted of one partition with what its segments say.

    Parameters
        segments: all of the partition's, by offset.
    """
    compared = comparable(segments, log.start)
    archived = segments[-1].next if segments else None
    counts = _summed(compared)
    differences = [
        *_places(log, segments),
        *(d for segment in segments for d in _segment_differences(segment)),
        *_received(log.partition, counts, found),
        *_quarantined(log.partition, counts, found),
    ]
    first = compared[0].first if compared else None
    return PartitionLedger(
        log, first, archived, found.pending, counts, dict(found.messages), differences
    )


def _summed(segments: Sequence[Segment]) -> dict[ClusterHour, Counts]:
    total: dict[ClusterHour, Counts] = {}
    for segment in segments:
        for place, counts in segment.counts.items():
            total[place] = total.get(place, Counts()) + counts
    return total


def _places(log: Log, segments: Sequence[Segment]) -> Iterator[Difference]:
    """Find offsets that are in no segment or in two."""
    number = log.partition
    for before, after in pairwise(segments):
        if after.first > before.next:
            missing = f"offsets {before.next} to {after.first - 1} are in no segment"
            yield Difference(number, Kind.GAP, before.next, after.first, missing)
        if after.first < before.next:
            twice = f"offsets {after.first} to {before.next - 1} are in two segments"
            yield Difference(number, Kind.OVERLAP, before.next, after.first, twice)
    archived = segments[-1].next if segments else 0
    if segments and log.low > archived:
        lost = f"offsets {archived} to {log.low - 1} were deleted before they were archived"
        yield Difference(number, Kind.LOST, archived, log.low, lost)
    if log.committed is not None and log.committed > max(archived, log.low):
        ahead = f"offset {log.committed} is committed, the archive ends at {archived}"
        yield Difference(number, Kind.COMMITTED, log.committed, archived, ahead)


def _segment_differences(segment: Segment) -> Iterator[Difference]:
    number, name = segment.partition, segment.path.name
    events = sum(counts.events for counts in segment.counts.values())
    if events != segment.rows:
        detail = f"{name} has {segment.rows} rows and counts {events} events"
        yield Difference(number, Kind.ROWS, events, segment.rows, detail)
    for (cluster, hour), counts in sorted(segment.counts.items()):
        if not counts.is_balanced:
            came = counts.records + counts.extra
            detail = f"{name}: {came} records and items came, {counts.became} became something"
            yield Difference(number, Kind.BALANCE, came, counts.became, detail, cluster, hour)


def _received(
    partition: int, counts: dict[ClusterHour, Counts], found: Found
) -> Iterator[Difference]:
    for place in sorted(counts.keys() | found.messages.keys()):
        came, taken = found.messages[place], counts.get(place, Counts()).records
        if came != taken:
            detail = f"{came} messages were received, {taken} are accounted for"
            yield Difference(partition, Kind.RECEIVED, came, taken, detail, *place)


def _quarantined(
    partition: int, counts: dict[ClusterHour, Counts], found: Found
) -> Iterator[Difference]:
    """More in the topic than counted is no loss: an owner that lost the partition wrote it too."""
    for place, counted in sorted(counts.items()):
        there = found.quarantined[place]
        if there < counted.quarantined:
            detail = f"{counted.quarantined} were refused, {there} are in quarantine"
            yield Difference(partition, Kind.QUARANTINE, counted.quarantined, there, detail, *place)
