"""Strange minutes of an identity become runs: one finding each, however long it goes on.

Separate from the learning because a run outlives the minute that began it, and because how it ends
must depend on the time of events alone.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING, Final

import msgspec
import polars as pl

from detectors.correlation.episode import Closed
from models.profile.action_key import TICK_US
from models.profile.observed import MINUTE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

GAP_TICKS: Final = 10
"""Minutes without anything strange after which the next strange one is another finding."""


MOST_TICKS: Final = 60
"""Minutes of one run at most: what somebody does who is strange all day is told as it comes."""


class Run(msgspec.Struct, array_like=True):
    """Strange minutes that follow each other; ``finding`` is what the first of them reported."""

    finding: str
    last_tick: int
    events: int
    time_us: int
    received_us: int
    dated: bool
    first_tick: int = 0

    @property
    def over_tick(self) -> int:
        """The first minute that would begin another run."""
        return min(self.last_tick + GAP_TICKS + 1, self.first_tick + MOST_TICKS)


class Runs:
    """Those that go on, by cluster and identity."""

    __slots__ = ("evicted", "open")

    def __init__(self) -> None:
        self.open: dict[tuple[int, int], Run] = {}
        self.evicted = 0

    def close(self, passed: Mapping[int, int] | None) -> Iterator[Closed]:
        """End those that were over before the minute their cluster has come to; None: all.

        Parameters
            passed: by cluster, the first minute that is not complete.
        """
        over = [
            key
            for key, run in self.open.items()
            if passed is None or run.over_tick <= passed.get(key[0], 0)
        ]
        for key in sorted(over, key=lambda key: (self.open[key].over_tick, self.open[key].finding)):
            yield closed(self.open.pop(key))

    def reported(self, minutes: pl.DataFrame) -> pl.DataFrame:
        """Return ``cluster``, ``tick``, ``who`` of strange minutes with the ``finding`` of each.

        Those that nobody is told of have none, and are left out.
        """
        keys = zip(minutes["cluster"], minutes["who"], strict=True)
        runs = [self.open.get(key) for key in keys]
        findings = pl.Series("finding", [run and run.finding for run in runs], dtype=pl.String)
        named = minutes.select(MINUTE).with_columns(findings)
        return named.drop_nulls("finding")

    def end(self, findings: Collection[str]) -> Iterator[Closed]:
        """End those that these findings reported: what follows is another finding."""
        over = [key for key, run in self.open.items() if run.finding in findings]
        for key in sorted(over):
            yield closed(self.open.pop(key))

    def evict(self, most: int) -> Iterator[Closed]:
        """End the oldest beyond a bound, before their time."""
        beyond = len(self.open) - most
        if beyond <= 0:
            return
        self.evicted += beyond
        oldest = nsmallest(beyond, self.open, key=lambda key: (self.open[key].last_tick, key))
        for key in oldest:
            yield closed(self.open.pop(key))


def closed(run: Run) -> Closed:
    """Return what a run's finding becomes at its end."""
    last_us = (run.last_tick + 1) * TICK_US - 1
    return Closed(
        run.finding,
        run.time_us,
        run.received_us,
        run.dated,
        last_us,
        run.events,
        run.over_tick * TICK_US,
    )
