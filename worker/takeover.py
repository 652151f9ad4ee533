"""What was committed for a partition becomes the partition as its next owner goes on with it.

Separate from the loop because this is where a crash, a torn snapshot or the wrong folder shows:
each case ends in the state as if nothing had happened, or in a refusal that says what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from worker.cluster_memory import Marks, still_ids
from worker.partition import (
    STATE_SCHEMA,
    Partition,
    SnapshotReference,
    nothing_remembered,
    read_reference,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from detectors.remembered import Remembered
    from ingest.sources.kafka import Committed
    from sinks.archive import Counts, Segment

CLUSTER: Final = "orchestrator.cluster.name"


class StoreMismatchError(Exception):
    """Archive and topic do not belong together: the worker stops before it writes anything."""


class Segments(Protocol):
    """A segment being written; see `sinks.archive.SegmentWriter`."""

    def write(self, events: pl.DataFrame) -> None:
        """Append events. Raises OSError."""

    def count(self, cluster: str, hour: datetime, counts: Counts) -> None:
        """Add to what became of a cluster's records."""

    def close(self, next_offset: int) -> Segment:
        """Publish it. Raises SegmentTakenError, OSError."""

    def discard(self) -> None:
        """Drop it."""


class Stores(Protocol):
    """Archive and snapshots, as the worker asks for them."""

    def last_segment(self, partition: int) -> Segment | None:
        """Return the partition's last segment."""

    def writer(self, partition: int, first: int, previous_sha256: str | None) -> Segments:
        """Return a writer of the segment that begins at ``first``."""

    def recent_events(self, partition: int, before: int) -> pl.DataFrame:
        """Return cluster, event.id, event.dataset and @timestamp of archived events, in log order.

        At least those of the memory's length before offset ``before``, none from there on.
        """

    def history(self, partition: int, before: int) -> Iterable[pl.DataFrame]:
        """Yield archived events, all columns, in log order, none from offset ``before`` on.

        As far back as state is built from; what is older is forgotten.
        """

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        """Keep a snapshot durably; return its name and sha256. Raises OSError."""

    def load_snapshot(self, partition: int, name: str, sha256: str) -> bytes | None:
        """Return a snapshot, None if it is missing or torn."""

    def earlier_snapshots(self, partition: int, before: int) -> Iterable[tuple[str, bytes]]:
        """Yield whole snapshots of offsets up to and with ``before``, the newest first."""


@dataclass(frozen=True, slots=True)
class Detecting:
    """What state over time begins with, and how archived events enter it."""

    pack: str = ""
    """Hash of the rules in use."""
    new_state: Callable[[], Remembered] = nothing_remembered
    fold: Callable[[Partition, pl.DataFrame, pl.Series], None] = lambda *_: None
    """Given a partition, events in log order and which of them are late."""
    is_across: bool = False
    """Whether any rule reaches over clusters: partitions then tell how far they came."""


def take_over(
    committed: Committed, stores: Stores, detecting: Detecting, *, begin_archive: bool, now_s: float
) -> Partition:
    """Return a partition at the offset to read from, with the state of that offset.

    Parameters
        detecting: the rules in use, as far as state depends on them.
        begin_archive: whether a partition that has progress but no segment may begin an archive.

    Raises
        StoreMismatchError: the archive lacks what was committed, or has what the topic never had.
    """
    start = max(committed.low, committed.offset or 0)
    segment = stores.last_segment(committed.partition)
    archived = start if segment is None else segment.next
    _check(committed, segment, start, begin_archive=begin_archive)
    partition = Partition(
        committed.partition,
        start,
        start,
        archived,
        segment,
        snapshot_time_s=now_s,
        remembered=detecting.new_state(),
    )
    if committed.offset is not None:
        _restore(partition, committed, stores, detecting)
    return partition


def _check(
    committed: Committed, segment: Segment | None, start: int, *, begin_archive: bool
) -> None:
    place = f"partition {committed.partition}"
    if segment is None:
        if committed.offset is None or begin_archive or committed.offset <= committed.low:
            return
        raise StoreMismatchError(
            f"{place}: {committed.offset} is committed, but the archive has no segment of it. Is "
            "store.folder the right one? To begin a new archive, set store.begin_archive"
        )
    if segment.next < start and start > committed.low:
        raise StoreMismatchError(
            f"{place}: {start} is committed, but the archive ends at {segment.next}: segments are "
            "missing, or store.folder is another worker's"
        )
    if segment.next > committed.high:
        raise StoreMismatchError(
            f"{place}: the archive ends at {segment.next}, the topic at {committed.high}: the "
            "topic is not the one that was archived"
        )


def _restore(
    partition: Partition, committed: Committed, stores: Stores, detecting: Detecting
) -> None:
    """Take the committed snapshot, else the one before, else fold the archive."""
    start = partition.position
    reference = read_reference(committed.metadata)
    if reference and reference.schema == STATE_SCHEMA:
        number = partition.number
        data = stores.load_snapshot(number, reference.snapshot, reference.sha256)
        if data is not None and _fits(partition, data, committed.low, start):
            partition.reference = reference
            return
    for name, data in stores.earlier_snapshots(partition.number, start):
        if _fits(partition, data, committed.low, start):
            partition.reference = SnapshotReference(
                name, partition.position, sha256(data).hexdigest(), STATE_SCHEMA, detecting.pack
            )
            return
    partition.position, partition.memories = start, {}
    partition.remembered = detecting.new_state()
    if partition.remembered.is_needed:
        for events in stores.history(partition.number, start):
            detecting.fold(partition, events, _fold_archive(partition, events))
            partition.remembered.release(partition.watermarks())
    else:
        _fold_archive(partition, stores.recent_events(partition.number, start))


def _fits(partition: Partition, data: bytes, low: int, start: int) -> bool:
    """Restore a snapshot if the topic still has every record between it and ``start``."""
    return partition.restore(data) and low <= partition.position <= start


def _fold_archive(partition: Partition, events: pl.DataFrame) -> pl.Series:
    """Remember archived events, which are no repeats; return which of them came late."""
    marks = Marks()
    times = events["@timestamp"].to_physical().to_list()
    rows = zip(events[CLUSTER].to_list(), events["event.id"].to_list(), times, strict=True)
    still = still_ids(events)
    for cluster, identifier, time_us in rows:
        partition.memory(cluster).mark([identifier], [time_us], marks, still)
    return pl.Series("late", marks.late, dtype=pl.Boolean)
