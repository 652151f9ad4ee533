"""How much the worker does at once and how often, and how it tells about itself.

Separate because loop and holdings share them and tests pass their own: small paces, a fake clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.sources.kafka import Record


@dataclass(frozen=True, slots=True)
class Pace:
    """Sizes and times; `worker.configuration` says what each means."""

    batch_records: int = 6_000
    poll_s: float = 0.25
    interval_s: float = 60.0
    records: int = 500_000
    snapshot_interval_s: float = 300.0
    revoke_deadline_s: float = 10.0
    release_s: float = 2.0
    """Signals over time wait for so long at most, once their watermark has passed, to be folded
    together: a fold of one costs tens of milliseconds, as does a fold of hundreds."""
    release_most_s: float = 10.0
    """So long they wait where folds of all partitions would otherwise take more than a tenth of the
    worker's time: with many partitions, of which each says little."""
    max_ids: int = 2_000_000
    """Event ids remembered by one worker, about 200 MB; evictions are counted (design: Repeats)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """A log (event name and values, never a record's content), a heartbeat, a monotonic clock."""

    log: Callable[..., None] = lambda *_, **__: None
    beat: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    asking: Callable[[bool], None] = lambda _: None
    """Told before (True) and after (False) a server is asked that may keep us waiting."""
    stopping: Callable[[], bool] = lambda: False
    batch: Callable[[Sequence[Record], int], None] = lambda *_: None
    """Told a batch's records, once all of it is answered for, and how many were refused."""
    waiting: Callable[[str, float, str], None] = lambda *_: None
    """Told which sink asks to wait, for how long (seconds) and why."""
    idling: Callable[[], None] = lambda: None
    """Called every two seconds at least while a sink is waited for: others of the process must not
    be still meanwhile."""
    flowing: Callable[[], None] = lambda: None
    """Told that every sink took what was pending."""
