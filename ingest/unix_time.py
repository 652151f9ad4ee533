"""A time as microseconds of Unix time, and those as a time again: exact, for every datetime.

Separate because events, windows, canaries and checkpoints all count in whole microseconds, as
Polars does, and whoever goes by way of ``timestamp()``, a float, is off by a second before 1970 and
in far years: records may say such times, which must sort as they do in frames.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def unix_us(time: datetime) -> int:
    """Return an aware time as microseconds of Unix time."""
    return (time - _EPOCH) // timedelta.resolution


def time_of(time_us: int) -> datetime:
    """Return microseconds of Unix time as a time in UTC.

    Raises ``OverflowError`` where that lies outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(microseconds=time_us)
