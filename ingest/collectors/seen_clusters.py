"""Which clusters a webhook speaks for, and whether each has had everything taken from it.

Separate because canaries depend on it: a canary that says "caught up" moves the watermark, and what
an API server still holds back for a retry would then be late.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_CLUSTERS: Final = 1_000
"""Without credentials anybody can name clusters; the one that was quiet longest is forgotten."""

SETTLE_S: Final = 120.0
"""How long an API server may hold a batch back after a refusal: it tries five times, pausing 10 s
and half as long again each time (`DefaultInitialBackoffDelay`, factor 1.5), 81 s in all without
jitter. Also after a start: nobody knows what was refused before."""


class SeenClusters:
    """Remembers the clusters and when each was last refused something for now."""

    __slots__ = ("_refused_s", "_started_s")

    def __init__(self, configured: Iterable[str], now_s: float) -> None:
        """Begin with the clusters that configuration names."""
        self._started_s = now_s
        self._refused_s = dict.fromkeys(sorted(configured), now_s)

    @property
    def names(self) -> list[str]:
        """The clusters, the quietest first."""
        return list(self._refused_s)

    def taken(self, cluster: str) -> None:
        """Note that a request of this cluster was taken."""
        refused_s = self._refused_s.pop(cluster, self._started_s)
        self._remember(cluster, refused_s)

    def refused(self, cluster: str, now_s: float) -> None:
        """Note that one was refused for now; one never taken is not remembered."""
        if cluster in self._refused_s:
            self._refused_s[cluster] = now_s

    def is_caught_up(self, cluster: str, now_s: float) -> bool:
        """Whether its API server can hold nothing back any more because of us."""
        return now_s - self._refused_s.get(cluster, now_s) > SETTLE_S

    def _remember(self, cluster: str, refused_s: float) -> None:
        self._refused_s[cluster] = refused_s
        while len(self._refused_s) > MAX_CLUSTERS:
            del self._refused_s[next(iter(self._refused_s))]
