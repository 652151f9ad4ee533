"""Times as tools write them become the one text that timestamps are read from.

Separate because every format has its own way of writing an instant, and all of them end here: RFC
3339 with microseconds and Z, UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final

from ingest.canonical_time import canonical_time

_EPOCH_NAIVE: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - written as UTC, without the zone
_T_AT: Final = 10
_SECONDS: Final = len("2026-11-21T10:46:08Z")
_MICROS: Final = 6
"""Most texts are RFC 3339 in UTC, from seconds to nanoseconds: those are cut and filled. Whether
they are times at all is asked of the whole column (ingest/timestamps.py)."""

_MOST_US: Final = 253_402_300_799_999_999
_DIGITS_MAX: Final = 40
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_A_DAY: Final = timedelta(days=1)

Number = int | float | str | None


def from_seconds(value: Number) -> str | None:
    """Return the time of seconds since 1970, whole or with a fraction, also as text."""
    return _scaled(value, 1_000_000)


def from_microseconds(value: Number) -> str | None:
    """Return the time of microseconds since 1970, also as text."""
    return _scaled(value, 1)


def from_nanoseconds(value: Number) -> str | None:
    """Return the time of nanoseconds since 1970, also as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return _text(value // 1_000)  # beyond 2**53: no float on the way
    return _scaled(value, Decimal("0.001"))


def from_text(value: str | None) -> str | None:
    """Return a time that was RFC 3339 or ISO 8601, the text itself if it is none, None for none."""
    if not value:
        return None
    if value[-1] == "Z" and value[_T_AT : _T_AT + 1] == "T":
        if len(value) == _SECONDS:
            return f"{value[:-1]}.000000Z"
        fraction = value[_SECONDS:-1]
        if value[_SECONDS - 1 : _SECONDS] == "." and fraction.isdecimal() and fraction.isascii():
            return f"{value[:_SECONDS]}{fraction[:_MICROS]:0<6}Z"
    return canonical_time(value.strip() or None)


@lru_cache(4_096)
def from_month_day(text: str, received: datetime | None) -> str | None:
    """Return the time of ``Oct 11 22:14:15`` (RFC 3164), in UTC.

    The year is the latest for which the time is at most a day after ``received``; None where the
    text is no such time, or nothing is known of when it was received.
    """
    parts = text.split()
    if received is None or len(parts) != 3 or parts[0].title() not in _MONTHS:  # noqa: PLR2004
        return None
    for year in range(received.year + 1, received.year - 5, -1):
        instant = _instant(year, *parts)
        if instant is not None and instant <= received + _A_DAY:
            return f"{instant:%Y-%m-%dT%H:%M:%S.%f}Z"
    return None


def _instant(year: int, month: str, day: str, clock: str) -> datetime | None:
    number = _MONTHS.index(month.title()) + 1
    text = f"{year:04}-{number:02}-{day.zfill(2)}T{clock}"
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _scaled(value: Number, factor: int | Decimal) -> str | None:
    if value is None or isinstance(value, bool):
        return None
    text = repr(value) if isinstance(value, float) else str(value).strip()
    if len(text) > _DIGITS_MAX:
        return None
    try:
        return _text(int(Decimal(text) * factor))
    except (InvalidOperation, ValueError, OverflowError):
        return None


def _text(micros: int) -> str | None:
    if not 0 <= micros <= _MOST_US:
        return None
    return f"{(_EPOCH_NAIVE + timedelta(microseconds=micros)).isoformat(timespec='microseconds')}Z"
