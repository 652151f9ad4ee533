"""A length of time as Sigma writes it, ``90s`` or ``5m``, becomes microseconds.

Source: Sigma correlation rules specification 2.1, "Time Selection": a number and one of s, m, h, d.
"""

from __future__ import annotations

from typing import Final

from detectors.sigma.errors import RefusedError, shown
from detectors.sigma.strict_yaml import Node, Scalar

SECOND_US: Final = 1_000_000
DAY_US: Final = 86_400 * SECOND_US
MAX_DAYS: Final = 90
"""Of a correlation: state of all that was seen in it is kept, and an archive has it to fold."""

_UNITS: Final = {"s": SECOND_US, "m": 60 * SECOND_US, "h": 3_600 * SECOND_US, "d": DAY_US}
_MAX_DIGITS: Final = 9


def read_timespan(node: Node, key: str, *, least_us: int = SECOND_US) -> int:
    """Return the time that ``node`` says, in microseconds.

    Raises ``RefusedError`` if it is not one, is shorter than ``least_us`` or longer than
    ``MAX_DAYS``.
    """
    text = node.text if isinstance(node, Scalar) else ""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS:
        what = shown(text) if isinstance(node, Scalar) else "a list or a mapping"
        wrong = f"{key!r} must be a number and one of s, m, h, d, as in 5m, not {what}"
        raise RefusedError(node.place, wrong)
    if len(number) > _MAX_DIGITS or int(number) * _UNITS[unit] > MAX_DAYS * DAY_US:
        raise RefusedError(node.place, f"{key!r} is longer than {MAX_DAYS} d: {shown(text)}")
    time_us = int(number) * _UNITS[unit]
    if time_us < least_us:
        raise RefusedError(node.place, f"{key!r} must be at least 1s, not {shown(text)}")
    return time_us
