"""Events learn when and by which collector they were received; times from the future do not pass.

Separate from normalize because only a record that came through a collector has an envelope: a
scanned file has none, and its events keep the time they claim.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import polars as pl

from ingest.column import TEXTS, TIME

AHEAD: Final = timedelta(minutes=5)
"""An event may be so much later than its receipt before its time is not believed: clocks that are
kept by NTP differ by far less (design: Time)."""

CLOCK_AHEAD: Final = "clock-ahead"
NO_TIME: Final = "missing-timestamp"

ARRIVALS: Final = pl.Schema(
    {
        "log.file.path": pl.String(),
        "log.offset": pl.Int64(),
        "event.created": TIME,
        "agent.name": pl.String(),
    }
)
"""One row a message: its place, when it was received (UTC) and by whom."""

_PLACE: Final = ("log.file.path", "log.offset")
_TIME: Final = "@timestamp"
_RECEIVED: Final = "event.created"
_ISSUES: Final = "trailwarden.parse.issues"


def stamp(events: pl.DataFrame, arrivals: pl.DataFrame) -> pl.DataFrame:
    """Return the events with ``event.created`` and ``agent.name`` filled and times clamped.

    Parameters
        events: EVENT_SCHEMA, any order.
        arrivals: ARRIVALS, one row for each place that events come from.

    Returns
        the same rows. An event later than its receipt by more than ``AHEAD`` counts as received
        then and is marked ``clock-ahead``; one without a time of its own counts as received, too.
    """
    found = events.select(_PLACE).join(arrivals, on=list(_PLACE), how="left", maintain_order="left")
    received = found[_RECEIVED]
    times = events[_TIME]
    ahead = (times > received + AHEAD).fill_null(value=False)
    stamped = events.with_columns(received, found["agent.name"])
    if not ahead.any() and not times.null_count():
        return stamped
    marked = pl.lit([CLOCK_AHEAD], dtype=TEXTS)
    issues = pl.col(_ISSUES)
    return stamped.with_columns(
        pl.when(ahead)
        .then(pl.col(_RECEIVED))
        .otherwise(pl.col(_TIME).fill_null(received))
        .alias(_TIME),
        pl.when(ahead)
        .then(pl.when(issues.is_null()).then(marked).otherwise(issues.list.concat(marked)))
        .otherwise(issues)
        .alias(_ISSUES),
    )
