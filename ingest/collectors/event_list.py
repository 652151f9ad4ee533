"""One webhook body in, its events out, each as the very bytes that the API server sent.

Separate because the body is hostile input. What users write into their objects stands in it as they
wrote it: 5,000 levels of brackets, half a surrogate pair, a number with a leading zero. A strict
decoder refuses the whole body for one of them, so that one request could hide the 399 others of its
batch; then a scanner finds the events' ends instead, and only the worker judges them (P4).

Format: audit.k8s.io/v1 EventList, `{"kind":"EventList", ..., "items":[Event...]}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ingest.json_scan import BLANK, members, value_end
from ingest.salvage import MAX_MEMBERS

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_EVENTS: Final = 10_000
"""Events of one body: the API server sends 400, and its whole buffer holds 10,000."""

_DENSE_BYTES: Final = 1 << 20
_BYTES_A_COMMA: Final = 16
"""In audit events a comma comes every 30 bytes. Eight million numbers would cost 0.5 GB as views;
a large body with more commas than this is scanned, which stops at `MAX_EVENTS`."""

_NEAR_BYTES: Final = 256


class NotJsonError(Exception):
    """A body that is no JSON; the API server never sends one."""


class TooManyEventsError(Exception):
    """A body of more than `MAX_EVENTS` events."""


class _EventList(msgspec.Struct):
    kind: str = "EventList"
    items: list[msgspec.Raw] | msgspec.UnsetType | None = msgspec.UNSET


_decode = msgspec.json.Decoder(_EventList).decode
_check = msgspec.json.Decoder(msgspec.Raw).decode


def split(body: bytes) -> list[bytes] | None:
    """Return the records of a body, in its order, byte for byte; about 1 GB/s.

    The items of an EventList; a single Event, and any other JSON value, as one record, so that
    nothing is acknowledged that was not sent on. What an item is, is not judged here.

    Returns
        None if a decoder is not up to this body: `scan` it.

    Raises
        NotJsonError: no JSON value, or something behind it.
        TooManyEventsError: more than `MAX_EVENTS` items.
    """
    if len(body) > _DENSE_BYTES and body.count(b",") * _BYTES_A_COMMA > len(body):
        return None
    try:
        found = _decode(body)
    except msgspec.ValidationError:
        return _whole(body)
    except (msgspec.DecodeError, RecursionError):
        return None
    if found.kind != "EventList" or found.items is msgspec.UNSET:
        return [body.strip(BLANK)]
    items = found.items or []  # Go writes an empty list as null
    if len(items) > MAX_EVENTS:
        raise TooManyEventsError
    return [bytes(item) for item in items]


def _whole(body: bytes) -> list[bytes]:
    """Another JSON value: one record, if it is one."""
    try:
        _check(body)
    except RecursionError:
        pass
    except msgspec.DecodeError as error:
        raise NotJsonError from error
    return [body.strip(BLANK)]


def scan(body: bytes) -> list[bytes]:
    """Split by quotes and brackets alone: whatever is wrong inside an item stays inside it.

    For what `split` is not up to; otherwise as that. Not for the thread of an event loop: 10,000
    events take 0.3 s, 8 MiB of nothing but brackets 5 s (2026-11-21, two busy cores).
    """
    text = body.strip(BLANK)
    if not text.startswith(b"{"):
        raise NotJsonError
    kind, items, end = b'"EventList"', None, 1
    for count, member in enumerate(members(text, 0)):
        if member.end is None or count == MAX_MEMBERS:
            raise NotJsonError
        end = member.end
        if member.key == b"kind":
            kind = text[member.start : member.end]
        elif member.key == b"items" and text[member.start : member.start + 1] == b"[":
            items = list(array_items(text, member.start, member.end))
    if text[end:].strip(BLANK) != b"}":
        raise NotJsonError
    return [text] if items is None or kind != b'"EventList"' else items


def array_items(text: bytes, start: int, end: int) -> Iterator[bytes]:
    """Cut the array at ``start``..``end`` into its items, byte for byte; raises as `scan`."""
    place = start + 1
    for count in range(MAX_EVENTS + 1):
        place = _next(text, place, end, comma=count > 0)
        if place == end - 1:
            return
        stop = end_of(text, place)
        if stop is None or not place < stop < end:
            raise NotJsonError
        yield text[place:stop]
        place = stop
    raise TooManyEventsError


def end_of(text: bytes, place: int) -> int | None:
    """As `value_end`, which looks at 4 KiB even where the value is `{}`."""
    near = value_end(text[place : place + _NEAR_BYTES], 0)
    return value_end(text, place) if near is None else place + near


def _next(text: bytes, place: int, end: int, *, comma: bool) -> int:
    """Return the place of the next item, or of the closing bracket."""
    while text[place] in BLANK:
        place += 1
    if comma and place < end - 1:
        if text[place : place + 1] != b",":
            raise NotJsonError
        place += 1
        while text[place] in BLANK:
            place += 1
    return place
