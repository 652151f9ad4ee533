"""Matches in order of time become episodes: one finding each, however long the act goes on.

Separate from the windows because an episode outlives them: it begins with the first event of the
window that matched first, and ends when one timespan has passed without a match.
"""

from __future__ import annotations

from heapq import nsmallest
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Run(msgspec.Struct, frozen=True, array_like=True):
    """Matches of one group that follow each other within the timespan."""

    correlation: int
    cluster: int
    key: int
    first_us: int
    last_us: int
    event: str
    """The event that completed the first; of absence, the one that was not answered."""
    last_event: str
    events: int
    """Distinct events that completed a match."""
    base: int
    row: int
    """Where the first stands among the rows of its kernel, to find its evidence."""
    count: float
    """Rows, values or rules in the window of the first, or what was measured."""
    timespan_us: int


class Episode(msgspec.Struct, array_like=True):
    """A run of matches of one group that is still going on."""

    finding: str
    """Its id; empty where the correlation reports nothing by itself."""
    last_us: int
    timespan_us: int
    events: int
    time_us: int
    """Of the finding: that of the event that completed the first match."""
    received_us: int
    dated: bool
    last_event: str
    cluster: int

    @property
    def end_us(self) -> int:
        """The time from which on a match is another episode."""
        return self.last_us + self.timespan_us


class Closed(msgspec.Struct, frozen=True):
    """How an episode ended; what changes in its finding, as absolute values."""

    finding: str
    time_us: int
    received_us: int
    dated: bool
    end_us: int
    """When it matched last."""
    events: int
    """Events of the first window, and those that matched after it."""
    over_us: int
    """When it was over: event time that must have been passed."""


class Episodes:
    """Those that go on, by correlation and group."""

    __slots__ = ("evicted", "open")

    def __init__(self) -> None:
        self.open: dict[tuple[int, int], Episode] = {}
        self.evicted = 0

    def close(self, times: Sequence[int] | None) -> Iterator[Closed]:
        """End the episodes that were over before the time of their cluster, in order.

        Parameters
            times: by the number of the cluster; None: all are over.
        """
        over = [
            key
            for key, one in self.open.items()
            if times is None or one.end_us < times[one.cluster]
        ]
        for key in sorted(over, key=lambda key: (self.open[key].end_us, self.open[key].finding)):
            yield from self.end(*key)

    def continues(self, run: Run) -> Episode | None:
        """Return the episode that a run belongs to, None where it begins another."""
        episode = self.open.get((run.correlation, run.key))
        return episode if episode and run.first_us <= episode.end_us else None

    def end(self, correlation: int, key: int) -> Iterator[Closed]:
        """End one; nothing is said of one that was not reported."""
        episode = self.open.pop((correlation, key))
        if episode.finding:
            yield closed(episode)

    def evict(self, most: int) -> Iterator[Closed]:
        """End the oldest episodes beyond a bound, before their time."""
        beyond = len(self.open) - most
        if beyond <= 0:
            return
        self.evicted += beyond
        for key in nsmallest(beyond, self.open, key=self._age):
            yield from self.end(*key)

    def _age(self, key: tuple[int, int]) -> tuple[int, str, int]:
        return self.open[key].last_us, self.open[key].finding, key[1]


def closed(episode: Episode) -> Closed:
    """Return what an episode's finding becomes at its end."""
    return Closed(
        episode.finding,
        episode.time_us,
        episode.received_us,
        episode.dated,
        episode.last_us,
        episode.events,
        episode.end_us,
    )


def extend(episode: Episode, run: Run) -> None:
    """Let an episode go on."""
    episode.events += run.events - (run.event == episode.last_event)
    episode.last_event = run.last_event
    episode.last_us = max(episode.last_us, run.last_us)
