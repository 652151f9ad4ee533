"""Events that were seen before are counted and dropped.

Separate because it is state: the event ids of the last stretch of event time, per cluster, bounded.
More is not needed: an older repeat is late, and its document and finding have the same ids anyway.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

LATENESS: Final = timedelta(seconds=30)
"""As long as an API server's webhook backend may hold a batch (--audit-webhook-batch-max-wait)."""

MAX_IDS: Final = 2_000_000
"""Ids kept at most, about 250 MB; evictions before their time are counted."""


class Repeats:
    """Remembers event ids of one cluster, batch by batch."""

    __slots__ = ("_batches", "_held", "evicted")

    def __init__(self) -> None:
        self._batches: deque[tuple[datetime, frozenset[str]]] = deque()
        self._held = 0
        self.evicted = 0

    def drop(self, events: pl.DataFrame, watermark: datetime | None) -> pl.DataFrame:
        """Return the events that were not seen before, and remember them.

        Parameters
            watermark: event time that all inputs of the cluster have reached; ids older than
                twice the lateness before it are forgotten.
        """
        self._forget(watermark)
        ids: list[str] = events["event.id"].to_list()
        distinct = frozenset(ids)
        if len(distinct) < len(ids) or not all(distinct.isdisjoint(s) for _, s in self._batches):
            seen = set().union(*(s for _, s in self._batches))
            fresh = events["event.id"].is_first_distinct() & ~events["event.id"].is_in(list(seen))
            events = events.filter(fresh)
            distinct = frozenset(events["event.id"].to_list())
        newest = events["@timestamp"].max()
        if isinstance(newest, datetime):
            self._batches.append((newest, distinct))
            self._held += len(distinct)
        return events

    def _forget(self, watermark: datetime | None) -> None:
        horizon = None if watermark is None else watermark - 2 * LATENESS
        while self._batches:
            newest, ids = self._batches[0]
            expired = horizon is not None and newest < horizon
            if not expired and self._held <= MAX_IDS:
                return
            self._batches.popleft()
            self._held -= len(ids)
            self.evicted += 0 if expired else len(ids)
