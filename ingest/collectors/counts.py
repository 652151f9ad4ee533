"""What a collector has done since it started: plain counters, raised there and read at scrape time.

Separate from the collectors because `worker.metrics` reads all of them alike, and because no
metrics library belongs in `ingest`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(slots=True)
class CollectorCounts:
    """Counters of one collector.

    ``records`` and ``bytes`` were handed to Kafka's client, repeats after a failure included;
    ``acknowledged`` and ``failed`` are what came back of them. ``refused`` counts by reason what
    was not handed on. ``last_record`` and ``last_canary`` are when one was last acknowledged.
    """

    records: int = 0
    bytes: int = 0
    acknowledged: int = 0
    failed: int = 0
    salvaged: int = 0
    canaries: int = 0
    requests: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    last_canary: datetime | None = None
    last_record: datetime | None = None
