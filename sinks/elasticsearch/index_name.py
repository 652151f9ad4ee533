"""A record's own times in, the name of its index out.

Separate because the index is a function of the record alone, today and in a replay: that is what
makes an id unique (P2). No clock is read here, and a forged time cannot create an index outside of
the days that are kept.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import polars as pl

Kind = Literal["events", "findings"]

KINDS: Final[tuple[Kind, ...]] = ("events", "findings")

AHEAD: Final = timedelta(hours=1)
"""An event later than its receipt by more than this has no day (design: Indices)."""

OUT_OF_RANGE: Final = "outofrange"

_DAY: Final = "%Y.%m.%d"


def index_name(
    prefix: str, kind: Kind, event_time: datetime | None, received: datetime, retention_days: int
) -> str:
    """Return the index of one record.

    Parameters
        event_time: the event's own time, None where it has none.
        received: when the record was received: the collector's header, else Kafka's timestamp.
        retention_days: days that an index of a day is kept.

    Returns
        ``<prefix>-<kind>-yyyy.MM.dd`` of the event's time in UTC where that lies within
        [received - retention, received + 1 h], else ``<prefix>-<kind>-outofrange``.
    """
    if event_time is None:
        return f"{prefix}-{kind}-{OUT_OF_RANGE}"
    behind = received - event_time
    if behind > timedelta(days=retention_days) or -behind > AHEAD:
        return f"{prefix}-{kind}-{OUT_OF_RANGE}"
    day = event_time.astimezone(UTC)
    return f"{prefix}-{kind}-{day.year:04}.{day.month:02}.{day.day:02}"


def index_names(
    times: pl.Series, received: pl.Series, prefix: str, kind: Kind, retention_days: int
) -> pl.Series:
    """Return the index of each record, as `index_name` does.

    Parameters
        times: Datetime("us", "UTC"), null where an event has no time.
        received: Datetime("us", "UTC"), of the same length and without nulls.
    """
    time, got = pl.lit(times), pl.lit(received)
    inside = (time >= got - pl.duration(days=retention_days)) & (time <= got + AHEAD)
    day = pl.when(inside).then(time.dt.strftime(_DAY)).otherwise(pl.lit(OUT_OF_RANGE))
    return pl.select((pl.lit(f"{prefix}-{kind}-") + day).alias("index")).to_series()


def out_of_range_of(index: str) -> str:
    """Return the index of the same kind for what has no day."""
    return f"{index.rpartition('-')[0]}-{OUT_OF_RANGE}"


def day_of(index: str, prefix: str) -> date | None:
    """Return the day in an index name of ours, None for every other name."""
    for kind in KINDS:
        text = index.removeprefix(f"{prefix}-{kind}-")
        if text != index:
            return _day(text)
    return None


def _day(text: str) -> date | None:
    parts = text.split(".")
    if [len(part) for part in parts] != [4, 2, 2] or not (
        text.isascii() and text.replace(".", "").isdecimal()
    ):
        return None
    try:
        return date(*map(int, parts))
    except ValueError:
        return None
