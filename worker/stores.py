"""Archive and snapshots of one topic in the shared folder, as the worker asks for them.

Separate because the worker's rules are tested against stores in memory as well (`takeover.Stores`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.verdict import DATASET
from sinks.archive import SegmentWriter, last_segment, list_segments, scan_segments
from sinks.durable_file import require_links
from sinks.state_store import StateStore
from worker.cluster_memory import MEMORY_US

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sinks.archive import Segment

_SNAPSHOTS_KEPT: Final = 3
"""The committed one, the one before, and one that was written just before a crash."""

_SEGMENTS_FOLDED: Final = 20
"""Most segments that are read to rebuild a state: minutes of records each."""

_EVENTS_FOLDED: Final = 2_000_000
"""No segment more once there are so many events: a worker remembers no more (`Pace.max_ids`)."""

_RECENT: Final = (
    "orchestrator.cluster.name",
    "event.id",
    "event.dataset",
    "@timestamp",
    "log.offset",
)


class FolderStores:
    """Archive and state of ``topic`` under a folder."""

    def __init__(self, folder: Path, topic: str) -> None:
        """Check that the folder can hold them.

        Raises
            sinks.durable_file.StoreUnsuitableError: its file system has no hard links.
            OSError: it cannot be written.
        """
        self.archive = folder / "archive"
        require_links(self.archive)
        self._states = StateStore(folder)
        self._topic = topic

    def last_segment(self, partition: int) -> Segment | None:
        """Return the partition's last segment."""
        return last_segment(self.archive, self._topic, partition)

    def writer(self, partition: int, first: int, previous_sha256: str | None) -> SegmentWriter:
        """Return a writer of the segment that begins at ``first``."""
        return SegmentWriter(self.archive, self._topic, partition, first, previous_sha256)

    def recent_events(self, partition: int, before: int) -> pl.DataFrame:
        """Return id, cluster, kind and time of the memory's length of events before an offset."""
        segments = list_segments(self.archive, self._topic, partition)
        segments = [one for one in segments if one.first < before]
        found: list[pl.DataFrame] = []
        for segment in reversed(segments[-_SEGMENTS_FOLDED:]):
            found.insert(0, _recent([segment], before))
            if _covers(found) or sum(one.height for one in found) >= _EVENTS_FOLDED:
                break
        recent = pl.concat(found) if found else _recent([], before)
        return recent.drop("log.offset")

    def history(self, partition: int, before: int) -> Iterator[pl.DataFrame]:
        """Yield all columns of archived events in log order, of the last segments before an offset.

        At most so many events that a start does not take minutes.
        """
        segments = list_segments(self.archive, self._topic, partition)
        chosen: list[Segment] = []
        events = 0
        for segment in reversed([one for one in segments if one.first < before]):
            chosen.insert(0, segment)
            events += segment.next - segment.first
            if events >= _EVENTS_FOLDED:
                break
        for segment in chosen:
            found = scan_segments([segment]).filter(pl.col("log.offset") < before)
            yield found.sort("log.offset", maintain_order=True).collect()

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        """Keep a snapshot durably, and the newest few; return its name and sha256."""
        stored = self._states.save(self._topic, partition, offset, data)
        self._states.prune(self._topic, partition, _SNAPSHOTS_KEPT)
        return stored.name, stored.sha256

    def load_snapshot(self, partition: int, name: str, sha256: str) -> bytes | None:
        """Return a snapshot, None if it is missing, torn or another partition's."""
        mine = name.startswith(f"{self._topic}/{partition}/")
        return self._states.load(name, sha256) if mine else None

    def earlier_snapshots(self, partition: int, before: int) -> Iterator[tuple[str, bytes]]:
        """Yield whole snapshots of offsets up to and with ``before``, the newest first."""
        for name in self._states.earlier(self._topic, partition, before + 1):
            data = self._states.load(name)
            if data is not None:
                yield name, data


def _recent(segments: list[Segment], before: int) -> pl.DataFrame:
    events = scan_segments(segments).select(_RECENT).filter(pl.col("log.offset") < before)
    return events.sort("log.offset", maintain_order=True).collect()


def _covers(found: list[pl.DataFrame]) -> bool:
    """Whether segments reach back over twice the memory for each of their clusters.

    By the newest event of each segment: one late event, or another cluster that lags behind, says
    nothing of how far the segment reaches back; nor does a verdict, which moves no time.
    """
    cluster, time = pl.col("orchestrator.cluster.name"), pl.col("@timestamp")
    moving = [one.filter(pl.col("event.dataset").ne_missing(DATASET)) for one in found]
    newest = pl.concat([one.group_by(cluster).agg(time.max()) for one in moving])
    reach = newest.group_by(cluster).agg(time.max() - time.min())["@timestamp"].min()
    return isinstance(reach, timedelta) and reach > timedelta(microseconds=2 * MEMORY_US)
