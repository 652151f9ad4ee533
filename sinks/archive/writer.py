"""Events of one partition between two offsets become one segment of the archive.

Separate from reading because its promise is about crashes: a segment appears whole, durable and
once, or not at all; whoever comes second gets the one that is there. A folder only: object stores
are not built, their conditional put belongs where `durable_file.publish` is called.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Final

import polars as pl

from ingest.schema import SCHEMA_VERSION
from sinks.archive.footer import metadata_of, read_whole, seal
from sinks.archive.segment import (
    ClusterHour,
    Counts,
    Segment,
    SegmentTakenError,
    hour_of,
    segment_path,
)
from sinks.durable_file import make_folder, publish, sweep, temporary_path
from sinks.event_table import EventTable

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

CLUSTER: Final = "orchestrator.cluster.name"

EVENT_DAY: Final = pl.coalesce("@timestamp", "event.created").dt.date()
"""A row's day: the event's own, or that of its receipt where it says none."""


@dataclass(frozen=True, slots=True)
class _File:
    """A segment while it is written."""

    temporary: Path
    stream: IO[bytes]
    table: EventTable


class SegmentWriter:
    """Collects events and counts from offset ``first`` on; `close` makes them a segment.

    Nothing is on disk before the first row group is full. ``rows`` are the events so far,
    ``size_bytes`` what is on disk of them. After `close` or `discard` it is of no more use.
    """

    __slots__ = (
        "_counts",
        "_days",
        "_file",
        "_first",
        "_partition",
        "_path",
        "_previous_sha256",
        "_topic",
    )

    def __init__(
        self, archive: Path, topic: str, partition: int, first: int, previous_sha256: str | None
    ) -> None:
        self._path = segment_path(archive, topic, partition, first)
        self._topic = topic
        self._partition = partition
        self._first = first
        self._previous_sha256 = previous_sha256
        self._counts: dict[ClusterHour, Counts] = {}
        self._days: tuple[date, date] | None = None
        self._file: _File | None = None

    @property
    def rows(self) -> int:
        """Events written so far."""
        return self._file.table.rows if self._file else 0

    @property
    def size_bytes(self) -> int:
        """Bytes on disk so far; events of an unfinished row group are still in memory."""
        return self._file.stream.tell() if self._file else 0

    def write(self, events: pl.DataFrame) -> None:
        """Append events (EVENT_SCHEMA), in log order.

        Raises
            OSError: the disk is full or broken; `discard` and let the partition be repeated.
        """
        if not events.height:
            return
        self._opened().table.write(events)
        first, last = events.select(EVENT_DAY.min().alias("first"), EVENT_DAY.max()).row(0)
        if first is not None:
            known = self._days or (first, last)
            self._days = (min(first, known[0]), max(last, known[1]))

    def count(self, cluster: str, hour: datetime, counts: Counts) -> None:
        """Add to what became of a cluster's records received in an hour (any time in it)."""
        place = (cluster, hour_of(hour))
        self._counts[place] = self._counts.get(place, Counts()) + counts

    def close(self, next_offset: int) -> Segment:
        """Publish the segment: footer, seal, fsync, link, fsync of the folder.

        Raises
            SegmentTakenError: the name is taken; this one's temporary file is gone. What wins
                need not be the partition's last by now: ask `last_segment`.
            ArchiveDamagedError: the name is taken by a file that is no segment.
            StoreUnsuitableError: the file system has no hard links.
            OSError: the disk refused; nothing appeared.
        """
        if next_offset <= self._first:
            raise ValueError(f"{self._path}: next offset {next_offset} is not behind its first")
        try:
            file = self._opened()
            segment = self._finished(file, next_offset)
            if publish(file.temporary, self._path):
                return segment
        finally:
            self.discard()
        raise SegmentTakenError(read_whole(self._path))

    def discard(self) -> None:
        """Drop everything; what was not published is not there. May be called again."""
        if not self._file:
            return
        file, self._file = self._file, None
        file.table.discard()
        with suppress(OSError):  # what a full disk did not take is not wanted
            file.stream.close()
        file.temporary.unlink(missing_ok=True)

    def _opened(self) -> _File:
        if not self._file:
            make_folder(self._path.parent)
            sweep(self._path.parent)
            temporary = temporary_path(self._path)
            stream = temporary.open("w+b")
            self._file = _File(temporary, stream, EventTable(stream, sort_by=CLUSTER))
        return self._file

    def _finished(self, file: _File, next_offset: int) -> Segment:
        segment = self._described(next_offset)
        file.table.close(metadata_of(segment))
        sha256 = seal(file.stream)
        file.stream.flush()
        os.fsync(file.stream.fileno())
        return replace(segment, sha256=sha256)

    def _described(self, next_offset: int) -> Segment:
        first_day, last_day = self._days or (None, None)
        return Segment(
            path=self._path,
            topic=self._topic,
            partition=self._partition,
            first=self._first,
            next=next_offset,
            sha256=None,
            previous_sha256=self._previous_sha256,
            rows=self.rows,
            counts=dict(self._counts),
            first_day=first_day,
            last_day=last_day,
            schema_version=SCHEMA_VERSION,
        )
