"""The text of `--since` becomes a time: a moment, or a duration before now.

Separate because several commands take it and must mean the same by it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class InvalidTimeError(Exception):
    """A text that is neither a time nor a duration."""


def parse_since(text: str | None, now: datetime) -> datetime | None:
    """Return the time that ``text`` means; None where there is none.

    Raises
        InvalidTimeError: it means nothing.
    """
    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and number.isascii() and number.isdecimal():
            return now - timedelta(seconds=int(number) * _UNITS[unit])
    except OverflowError:
        pass
    time = read_time(text)
    if time is None:
        raise InvalidTimeError(f"--since {text}: neither a time nor a number with s, m, h or d")
    return time


def read_time(text: object) -> datetime | None:
    """Return an ISO 8601 time, UTC where it names no zone; None where it is none."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
