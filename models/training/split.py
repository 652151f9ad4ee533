"""Events in, those of a time out: what is learned from lies before what is tried.

Separate because a split by anything but time would let a model learn from what it is tried on: the
events of one attack, or of one errand, would stand on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from datetime import datetime


def between(events: pl.DataFrame, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """Return the events from ``start`` on and before ``end``, aware times; None: without end.

    An event without a time is in none.
    """
    time = pl.col("@timestamp")
    kept = time.is_not_null()
    if start is not None:
        kept &= time >= start
    if end is not None:
        kept &= time < end
    return events.filter(kept)
