"""Microseconds of simulated time in, RFC 3339 texts and the facts of a calendar out.

Separate because every record carries two times: their text is made a million times, and whether a
person works at a time is asked of the same calendar everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_SATURDAY: Final = 5
_EPOCH: Final = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=1024)
def _day_text(day: int) -> bytes:
    return date.fromordinal(_EPOCH + day).isoformat().encode()


@lru_cache(maxsize=8192)
def _second_text(time_s: int) -> bytes:
    minute, second = divmod(time_s, 60)
    hour, minute = divmod(minute, 60)
    day, hour = divmod(hour, 24)
    return b"%bT%02d:%02d:%02d" % (_day_text(day), hour, minute, second)


def timestamp(time_us: int) -> bytes:
    """Write a time as the API server writes the times of a stage: microseconds, UTC."""
    return b"%b.%06dZ" % (_second_text(time_us // SECOND), time_us % SECOND)


def object_time(time_us: int) -> bytes:
    """Write a time as objects carry it: whole seconds, UTC."""
    return _second_text(time_us // SECOND) + b"Z"


def day_start_us(day: date) -> int:
    """Return the first microsecond of a day, UTC."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * SECOND


@dataclass(frozen=True, slots=True)
class Site:
    """A place where people work: its distance from UTC, its address pool and its holidays.

    The distance is fixed: a simulation of a few weeks has no change of the clock.
    """

    name: str
    offset_minutes: int
    network: str
    holidays: frozenset[tuple[int, int]]
    """Public holidays with a fixed date, as month and day."""

    def day_of(self, time_us: int) -> date:
        """Return the local date at a time."""
        moment = datetime.fromtimestamp(time_us // SECOND, UTC)
        return (moment + timedelta(minutes=self.offset_minutes)).date()

    def at(self, day: date, minute: float) -> int:
        """Return the time of a local minute of a local day."""
        return day_start_us(day) + int((minute - self.offset_minutes) * MINUTE)

    def is_working_day(self, day: date) -> bool:
        """Tell Monday to Friday without the holidays."""
        return day.weekday() < _SATURDAY and (day.month, day.day) not in self.holidays


SITES: Final = (
    Site(
        "berlin",
        120,
        "10.8.1",
        frozenset({(1, 1), (5, 1), (10, 3), (12, 25), (12, 26)}),
    ),
    Site(
        "new-york",
        -240,
        "10.8.2",
        frozenset({(1, 1), (6, 19), (7, 4), (11, 11), (12, 25)}),
    ),
    Site("bengaluru", 330, "10.8.3", frozenset({(1, 26), (8, 15), (10, 2), (12, 25)})),
)
"""Offsets of summer; holidays of fixed date in Germany, the United States and India."""
