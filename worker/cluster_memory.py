"""What one cluster's records leave behind: how far its time has come, and which events were seen.

Separate because it is the state that a partition's records fold into, f(state, records): it depends
on the records and their order and on nothing else, neither on how they were cut into batches nor on
a clock. It is saved in snapshots and rebuilt from the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ingest.verdict import DATASET
from worker.repeats import LATENESS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    import polars as pl

LATENESS_US: Final = LATENESS // LATENESS.resolution
MEMORY_US: Final = 2 * LATENESS_US
"""Event time that ids are remembered for: an older repeat is late, and its document and finding
have the same ids anyway (design: Repeats)."""

GENERATION_US: Final = 10_000_000
"""Ids are kept by the ten seconds of cluster time in which they came, and forgotten so."""

_ID_BYTES: Final = 16


class Saved(msgspec.Struct, array_like=True):
    """A memory as it stands in a snapshot: ids of a generation are 16 bytes each, joined."""

    newest_us: int
    generations: dict[int, bytes]


@dataclass(slots=True)
class Marks:
    """What a batch's events are to their cluster: rows to keep, and which came late."""

    keep: list[bool] = field(default_factory=list)
    late: list[bool] = field(default_factory=list)


class ClusterMemory:
    """Time and seen event ids of one cluster."""

    __slots__ = ("_forget_at_us", "_generations", "evicted", "held", "newest_us")

    def __init__(self) -> None:
        self.newest_us = 0
        self._generations: dict[int, set[bytes]] = {}
        self._forget_at_us = 0
        self.held = 0
        self.evicted = 0

    def advance(self, time_us: int) -> None:
        """Let the cluster's time come at least so far (microseconds of Unix time)."""
        if time_us > self.newest_us:
            self.newest_us = time_us
            if time_us >= self._forget_at_us:
                self._forget()

    def mark(
        self,
        ids: Sequence[str],
        times_us: Sequence[int],
        marks: Marks,
        still: Collection[str] = (),
    ) -> None:
        """Fold events in log order; say of each whether it is no repeat, and whether it is late.

        Parameters
            ids: event.id, 32 hex digits.
            times_us: event times, microseconds of Unix time.
            still: ids of events that say nothing of how far the cluster's time has come. A person
                decides by another clock: their verdict must make no act late that is on its way.

        An event is late when it lies behind the newest before it by more than the lateness. It is a
        repeat when its id came before, within the memory's length of the cluster's time.
        """
        for identifier, time_us in zip(ids, times_us, strict=True):
            age = self.newest_us - time_us
            marks.late.append(age > LATENESS_US)
            if age < 0 and identifier not in still:
                self.advance(time_us)
            marks.keep.append(age > MEMORY_US or self._is_new(bytes.fromhex(identifier)))

    def _is_new(self, identifier: bytes) -> bool:
        for ids in self._generations.values():
            if identifier in ids:
                return False
        self._generations.setdefault(self.newest_us // GENERATION_US, set()).add(identifier)
        self.held += 1
        return True

    def _forget(self) -> None:
        """Forget what is too old; nothing more can be before the next generation begins."""
        self._forget_at_us = (self.newest_us // GENERATION_US + 1) * GENERATION_US
        oldest = (self.newest_us - MEMORY_US) // GENERATION_US
        while self._generations and (first := next(iter(self._generations))) < oldest:
            self.held -= len(self._generations.pop(first))

    def evict(self) -> int:
        """Forget the oldest ids before their time, to stay within bounds; return how many."""
        if not self._generations:
            return 0
        gone = len(self._generations.pop(next(iter(self._generations))))
        self.held -= gone
        self.evicted += gone
        return gone

    def save(self) -> Saved:
        """Return the memory as a value that a snapshot can hold, always the same for the same."""
        generations = {n: b"".join(sorted(ids)) for n, ids in self._generations.items()}
        return Saved(self.newest_us, generations)

    @classmethod
    def restore(cls, saved: Saved) -> ClusterMemory:
        """Return the memory that `save` was called of."""
        memory = cls()
        memory.newest_us = saved.newest_us
        memory._generations = {n: set(_split(ids)) for n, ids in saved.generations.items()}
        memory.held = sum(map(len, memory._generations.values()))
        return memory


def still_ids(events: pl.DataFrame) -> frozenset[str]:
    """Return the ids of the events that move no time: verdicts."""
    return frozenset(events.filter(events["event.dataset"] == DATASET)["event.id"])


def _split(joined: bytes) -> Iterator[bytes]:
    return (joined[i : i + _ID_BYTES] for i in range(0, len(joined), _ID_BYTES))
