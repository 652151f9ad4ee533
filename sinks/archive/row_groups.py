"""A partition's segments become row groups with their times, and these become frames of columns.

Separate from `read_events`, whose reader asks for days and gets one lazy frame: a replay goes
through the log in its order, in bounded memory, and knows from the footers alone what it may leave
out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ingest.schema import DTYPES
from sinks.archive.footer import read_footer
from sinks.archive.listing import segment_paths
from sinks.archive.reading import SchemaUnknownError, scan_segments
from sinks.archive.segment import ArchiveDamagedError, partition_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from pathlib import Path

    from sinks.archive.segment import Segment

_TIME: Final = "@timestamp"
_CLUSTER: Final = "orchestrator.cluster.name"
_UNREADABLE: Final = (pl.exceptions.PolarsError, SchemaUnknownError, OSError)


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Some consecutive rows of a segment, as its footer tells of them."""

    segment: Segment
    first_row: int
    rows: int
    size_bytes: int
    """Of all columns, unpacked."""
    times: tuple[datetime, datetime] | None
    """First and last event time; None: not known, they may be any."""
    clusters: tuple[str, str] | None
    """First and last cluster by name; None: not known."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A segment, or a part of one, that cannot be read."""

    path: Path
    detail: str


@dataclass(slots=True)
class Listed:
    """The row groups of a partition in log order, and what is not among them."""

    groups: list[RowGroup] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)
    earlier: bool = False
    """Whether segments of earlier days were left out."""


def row_groups(archive: Path, topic: str, partition: int, from_day: date | None = None) -> Listed:
    """Return a partition's row groups, from the footers alone.

    Parameters
        from_day: segments whose events are all of days before are left out.
    """
    listed = Listed()
    for path in segment_paths(partition_folder(archive, topic, partition)):
        try:
            segment, metadata = read_footer(path)
            if from_day and segment.last_day and segment.last_day < from_day:
                listed.earlier = True
            elif segment.rows:
                listed.groups += _row_groups(segment, metadata)
        except (ArchiveDamagedError, OSError) as error:
            listed.unread.append(Unread(path, _first_line(error)))
    return listed


def _row_groups(segment: Segment, metadata: Any) -> list[RowGroup]:
    found, first_row = [], 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        times, clusters = (_bounds(group, name) for name in (_TIME, _CLUSTER))
        found.append(
            RowGroup(
                segment,
                first_row,
                group.num_rows,
                group.total_byte_size,
                (_aware(times[0]), _aware(times[1])) if times else None,
                clusters,
            )
        )
        first_row += group.num_rows
    return found


def _bounds(group: Any, name: str) -> tuple[Any, Any] | None:
    """Return the least and the greatest value of a column, None where nobody wrote them down."""
    for number in range(group.num_columns):
        column = group.column(number)
        if column.path_in_schema == name:
            held = column.statistics
            return (held.min, held.max) if held is not None and held.has_min_max else None
    return None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read_rows(
    groups: Sequence[RowGroup], columns: Iterable[str]
) -> tuple[pl.DataFrame, list[Unread]]:
    """Return the rows of row groups, with these columns of EVENT_SCHEMA alone.

    Consecutive row groups of one segment are read in one go. What cannot be read is left out and
    named.
    """
    wanted = list(columns)
    frames: list[pl.DataFrame] = []
    unread: list[Unread] = []
    for segment, members in groupby(groups, key=attrgetter("segment")):
        try:
            frames += [_read_run(segment, run, wanted) for run in _runs(list(members))]
        except _UNREADABLE as error:
            unread.append(Unread(segment.path, _first_line(error)))
    if not frames:
        return pl.DataFrame(schema={name: DTYPES[name] for name in wanted}), unread
    return pl.concat(frames, rechunk=True), unread


def _read_run(segment: Segment, run: Sequence[RowGroup], columns: list[str]) -> pl.DataFrame:
    rows = sum(group.rows for group in run)
    return scan_segments([segment]).slice(run[0].first_row, rows).select(columns).collect()


def _runs(groups: Sequence[RowGroup]) -> list[list[RowGroup]]:
    runs: list[list[RowGroup]] = []
    for group in groups:
        if runs and runs[-1][-1].first_row + runs[-1][-1].rows == group.first_row:
            runs[-1].append(group)
        else:
            runs.append([group])
    return runs


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
