"""A partition of the archive becomes batches in log order: what to fold, and what only tells time.

Separate from folding because it decides what is read at all. Row groups without an event of the
time that matters are left out by their footers. Those of later events are read for their times
alone, where events of the span follow behind them: these are late, as they were when they came.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import polars as pl

from sinks.archive.row_groups import read_rows, row_groups
from worker.replay_span import BEGINNING, END

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sinks.archive.row_groups import RowGroup, Unread

BATCH_ROWS: Final = 50_000
"""Row groups, small ones above all, are folded together: a fold costs as much for few signals as
for many. Larger batches took only memory: 8.1 us an event and 600 MB at 50,000 and 100,000, 8.4 us
and 1,150 MB at 200,000 (the sample eight times, measured 2026-11-21)."""

BATCH_BYTES: Final = 256 << 20

_TIMES: Final = ("orchestrator.cluster.name", "event.dataset", "@timestamp")
_PATIENCE: Final = timedelta(days=1)
"""Event time after the span that is searched for a cluster's next event: absence waits for it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a partition is wanted."""

    first: datetime
    """Events from this time on are folded."""
    end: datetime
    """Events before this time are folded."""
    needed_from: datetime
    """Events from this time on are needed so that windows are right; ``first`` may be another."""
    clusters: frozenset[str]
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events; ``folds``: with all columns wanted, else with cluster and time alone."""

    events: pl.DataFrame
    folds: bool
    rows: int
    """Rows read for it."""


@dataclass(slots=True)
class PartitionLog:
    """What is read of a partition."""

    wanted: Wanted
    steps: list[tuple[bool, list[RowGroup]]]
    """Whether to fold, and the row groups of each batch, in log order."""
    after: list[RowGroup]
    """Row groups behind the last one that is folded, all of them later than the span."""
    unread: list[Unread] = field(default_factory=list)
    is_whole: bool = False
    """Whether the archive has events of before the time that is needed: none are missing."""

    @property
    def rows(self) -> int:
        """Rows that will be folded."""
        return sum(group.rows for folds, groups in self.steps for group in groups if folds)

    @property
    def begin(self) -> datetime:
        """A time that no event to fold lies before, as far as the footers know."""
        first = [_first(group) for folds, groups in self.steps for group in groups if folds]
        return min(first, default=END)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches of `steps`."""
        for folds, groups in self.steps:
            yield self._batch(groups, folds=folds)

    def times_after(self) -> Iterator[Batch]:
        """Yield the times of what follows, for as long as somebody asks."""
        for group in self.after:
            if self.wanted.end < END - _PATIENCE and _first(group) > self.wanted.end + _PATIENCE:
                return
            yield self._batch([group], folds=False)

    def _batch(self, groups: Sequence[RowGroup], *, folds: bool) -> Batch:
        events, unread = read_rows(groups, self.wanted.columns if folds else _TIMES)
        self.unread += unread
        if self.wanted.clusters:
            name = pl.col("orchestrator.cluster.name")
            events = events.filter(name.is_in(self.wanted.clusters))
        return Batch(events, folds, sum(group.rows for group in groups))


def partition_log(archive: Path, topic: str, partition: int, wanted: Wanted) -> PartitionLog:
    """Return what is to be read of a partition, from its footers."""
    from_day = None if wanted.first == BEGINNING else wanted.first.date()
    listed = row_groups(archive, topic, partition, from_day)
    is_whole = listed.earlier or any(_first(one) <= wanted.needed_from for one in listed.groups)
    groups = [group for group in listed.groups if _may_matter(group, wanted)]
    folded = [_overlaps(group, wanted) for group in groups]
    last = max((n for n, folds in enumerate(folded) if folds), default=-1) + 1
    steps: list[tuple[bool, list[RowGroup]]] = []
    for group, folds in zip(groups[:last], folded, strict=False):
        if steps and steps[-1][0] is folds and _fits(steps[-1][1], group):
            steps[-1][1].append(group)
        else:
            steps.append((folds, [group]))
    return PartitionLog(wanted, steps, groups[last:], listed.unread, is_whole)


def _may_matter(group: RowGroup, wanted: Wanted) -> bool:
    """Return whether a row group may hold wanted events, or tell how late one is."""
    if group.times and group.times[1] < wanted.first:
        return False
    if not (wanted.clusters and group.clusters):
        return True
    first, last = group.clusters
    return any(first <= name <= last for name in wanted.clusters)


def _overlaps(group: RowGroup, wanted: Wanted) -> bool:
    return group.times is None or group.times[0] < wanted.end


def _fits(groups: Sequence[RowGroup], group: RowGroup) -> bool:
    rows = sum(one.rows for one in groups) + group.rows
    size_bytes = sum(one.size_bytes for one in groups) + group.size_bytes
    return rows <= BATCH_ROWS and size_bytes <= BATCH_BYTES


def _first(group: RowGroup) -> datetime:
    return group.times[0] if group.times else BEGINNING
