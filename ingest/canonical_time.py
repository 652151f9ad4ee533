"""A timestamp's text as the one text that means the same instant, and as a datetime.

Separate because ids, columns and every format need it, and collectors, who may not load frames,
come by it through the formats.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_CANONICAL_LENGTH: Final = len("2026-11-21T10:46:08.594628Z")
_T_AT: Final = len("2026-11-21")
_DOT_AT: Final = len("2026-11-21T10:46:08")
_ZONE: Final = ("", "Z", "+", "-")


def canonical_times(texts: list[str | None]) -> list[str | None]:
    """Return timestamps as `canonical_time` does; what is canonical costs no call each."""
    return [
        text
        if text is not None
        and len(text) == _CANONICAL_LENGTH
        and text[-1] == "Z"
        and text[_T_AT] == "T"
        and text[_DOT_AT] == "."
        else canonical_time(text)
        for text in texts
    ]


def canonical_time(text: str | None) -> str | None:
    """Return a timestamp as ``YYYY-MM-DDTHH:MM:SS.ffffffZ``, or the text itself if it is none.

    Log and webhook already write it so; other ways of writing the same instant must not give the
    same event another id.
    """
    if text is None or (
        len(text) == _CANONICAL_LENGTH
        and text[-1] == "Z"
        and text[_T_AT] == "T"
        and text[_DOT_AT] == "."
    ):
        return text
    instant = parse_time(text.upper())
    return text if instant is None else f"{instant:%Y-%m-%dT%H:%M:%S.%f}Z".rjust(27, "0")


def parse_time(text: str) -> datetime | None:
    """Parse RFC 3339 (ISO 8601) with any number of fraction digits; no zone counts as UTC."""
    head, dot, tail = text.partition(".")
    if dot:
        digits = len(tail) - len(tail.lstrip("0123456789"))
        if tail[digits : digits + 1] not in _ZONE:  # fromisoformat skips what stands there
            return None
        text = f"{head}.{tail[:digits][:6]:0<6}{tail[digits:]}"
    try:
        instant = datetime.fromisoformat(text)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
