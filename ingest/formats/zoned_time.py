"""A time with a zone other than Z becomes the canonical text; those of one second share the work.

Separate because syslog's and Wazuh's times are so, and to compute an instant costs more than to
read all the rest of a line: rsyslog and Wazuh's manager write one zone all the time, and many
lines in a second.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ingest.formats.clock import from_text

_SECOND: Final = len("2026-11-21T18:21:51")
_FRACTION: Final = _SECOND + 1
_CANONICAL: Final = len("2026-11-21T18:21:51.000000Z")
_MICROS: Final = 6
_LONGEST: Final = 40
_SHORT_ZONE: Final = len("+0300")
_LONG_ZONE: Final = len("+03:00")
_SIGNS: Final = ("+", "-")


def from_zoned(text: str | None) -> str | None:
    """Return the time of ``2026-11-21T18:21:51[.120]+0300`` or ``+03:00``; others as `from_text`.

    The same as `from_text` for every text.
    """
    if text is None or len(text) > _LONGEST:
        return from_text(text)
    if text[-_SHORT_ZONE : 1 - _SHORT_ZONE] in _SIGNS:
        at = len(text) - _SHORT_ZONE
    elif text[-_LONG_ZONE : 1 - _LONG_ZONE] in _SIGNS:
        at = len(text) - _LONG_ZONE
    else:
        return from_text(text)
    if at == _SECOND:
        return _whole(text)
    fraction = text[_FRACTION:at]
    if text[_SECOND:_FRACTION] != "." or not (fraction.isdecimal() and fraction.isascii()):
        return from_text(text)
    found = _whole(text[:_SECOND] + text[at:])
    if found is None or len(found) != _CANONICAL or found[-1] != "Z":
        return from_text(text)
    return f"{found[:_FRACTION]}{fraction[:_MICROS]:0<6}Z"


_whole = lru_cache(4_096)(from_text)
