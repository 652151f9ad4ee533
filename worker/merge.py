"""The files of one cluster are read together, in the order of event time.

Separate because whoever cuts a log into files must get the same findings as from one: rotated
files, copies of one file and logs of several API servers are interleaved by their events' times,
and only files whose time has come are open.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from worker.repeats import LATENESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

T = TypeVar("T")

MAX_OPEN: Final = 256
"""Files open at once; the usual limit of a process is 1,024. More overlapping files than this are
read one after the other, and what is behind then counts as late."""

_FRONTIER: Final = 0.99
"""Share of a batch's events that its frontier lies behind: one forged time moves nothing."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """One batch of one file, and the time that all files had reached before it."""

    batch: T
    watermark: datetime | None


@dataclass(slots=True)
class _Reader(Generic[T]):
    batches: Iterator[T]
    frontier: datetime


def merge(
    files: Sequence[str],
    start_of: Callable[[str], datetime | None],
    open_file: Callable[[str], Iterator[T]],
    times_of: Callable[[T], pl.Series],
) -> Iterator[Step[T]]:
    """Yield the batches of all files, always of the file that is furthest behind.

    Parameters
        files: paths of one cluster.
        start_of: time of a file's first event, None where it has none that can be read.
        open_file: a file's batches in its own order.
        times_of: event times of a batch.
    """
    starts = sorted((start_of(path) or _BEGINNING, path) for path in files)
    pending = [(start, path) for start, path in reversed(starts)]
    active: list[_Reader[T]] = []
    while pending or active:
        horizon = min((reader.frontier for reader in active), default=_NEVER)
        while pending and (not active or pending[-1][0] <= horizon) and len(active) < MAX_OPEN:
            start, path = pending.pop()
            active.append(_Reader(open_file(path), start))
            horizon = min(horizon, start)
        reader = min(active, key=lambda one: one.frontier)
        batch = next(reader.batches, None)
        if batch is None:
            active.remove(reader)
            continue
        yield Step(batch, _watermark(active, pending))
        reader.frontier = max(reader.frontier, _frontier(times_of(batch)))


def _watermark(active: list[_Reader[T]], pending: list[tuple[datetime, str]]) -> datetime | None:
    reached = min([reader.frontier for reader in active] + [start for start, _ in pending[-1:]])
    return None if reached < _BEGINNING + LATENESS else reached - LATENESS


def _frontier(times: pl.Series) -> datetime:
    reached = times.quantile(_FRONTIER, interpolation="lower")
    return reached if isinstance(reached, datetime) else _BEGINNING
