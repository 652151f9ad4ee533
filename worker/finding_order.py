"""Findings leave in the order of their evidence, each act once.

Separate because it is the one memory that stateless rules need: of the findings that share an id,
the first in log order stands, whatever the batches were. Findings wait until every input of their
cluster has passed their time, then leave sorted by (time, event.id).
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from ingest.unix_time import unix_us

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from detectors.finding import Finding

MAX_IDS: Final = 1_000_000
"""Finding ids remembered, about 130 MB; evictions are counted."""

MAX_WAITING: Final = 50_000
"""Findings held back at most: beyond, the oldest leave before their time."""


class FindingOrder:
    """Holds findings back until their order is certain, then lets each id out once."""

    __slots__ = ("_seen", "_sequence", "_waiting", "evicted")

    def __init__(self) -> None:
        self._waiting: list[tuple[tuple[int, str], str, int, Finding]] = []
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._sequence = 0
        self.evicted = 0

    def add(self, found: Iterable[Finding]) -> None:
        """Hold findings."""
        for finding in found:
            self._sequence += 1
            entry = (finding.order, finding.id, self._sequence, finding)
            heapq.heappush(self._waiting, entry)

    def release(self, watermark: datetime | None) -> list[Finding]:
        """Return the findings whose evidence lies before the watermark; None releases all."""
        limit = None if watermark is None else unix_us(watermark)
        out = []
        while self._waiting:
            due = limit is None or self._waiting[0][0][0] <= limit
            if not due and len(self._waiting) <= MAX_WAITING:
                break
            finding = heapq.heappop(self._waiting)[-1]
            if self._is_new(finding.id):
                out.append(finding)
        return out

    def _is_new(self, identifier: str) -> bool:
        if identifier in self._seen:
            self._seen.move_to_end(identifier)
            return False
        self._seen[identifier] = None
        if len(self._seen) > MAX_IDS:
            self._seen.popitem(last=False)
            self.evicted += 1
        return True
