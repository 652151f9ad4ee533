"""Records by cluster in, the part of one worker's time that each takes out.

Separate because it is the one number that says when a cluster is near its ceiling: all of a
cluster's records go to one partition and so to one worker, and no further worker relieves it.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

ALARM_SHARE: Final = 0.7
"""design.md, section 1: a documented limit with an alarm at 70 %."""

CLUSTERS: Final = 1_000
"""Clusters told apart within one window; more are counted together."""

_REST: Final = "other"


class ClusterRate:
    """Counts over windows of ``window_s`` and tells each cluster's share when one is over.

    A share is the cluster's rate divided by the rate at which this worker could work if it never
    waited: records / (records / busy seconds) / passed seconds. 1 means the worker does nothing
    else and cannot do more.

    Parameters
        now: monotonic seconds.
        busy_s: what `worker.counts.WorkerCounts.busy_s` says now.
    """

    __slots__ = ("_busy_s", "_records", "_start", "_window_s")

    def __init__(self, now: float, busy_s: float = 0.0, window_s: float = 60.0) -> None:
        self._window_s = window_s
        self._begin(now, busy_s)

    def observe(self, cluster: str, records: int) -> None:
        """Count a batch's records of one cluster."""
        known = cluster in self._records or len(self._records) < CLUSTERS
        self._records[cluster if known else _REST] += records

    def due(self, now: float, busy_s: float) -> dict[str, float] | None:
        """Return the shares and begin a new window if one is over, else None."""
        passed = now - self._start
        if passed < self._window_s:
            return None
        total = self._records.total()
        share = min((busy_s - self._busy_s) / passed, 1.0)
        shares = {name: share * n / total for name, n in self._records.items() if n}
        self._begin(now, busy_s)
        return shares

    def _begin(self, now: float, busy_s: float) -> None:
        self._start, self._busy_s = now, busy_s
        self._records: Counter[str] = Counter()
