"""The value of a foreign shipper's message in, the records that it holds out.

Separate from moving them because it alone knows what shippers wrap around a line. What it does not
know it hands on untouched: the worker quarantines it, with its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from ingest.collectors.event_list import NotJsonError, TooManyEventsError, scan, split
from ingest.formats.lenient import load
from ingest.formats.registry import known_decoder
from ingest.formats.text_lines import is_text_record
from ingest.json_scan import BLANK
from ingest.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LIST_DEPTH: Final = 2
"""Lists and wrappers within each other: an array of wrappers, each around an EventList."""


_ABSENT: Final = msgspec.Raw(b"")


class _Wrapper(msgspec.Struct):
    """What says that an object is no event, and where shippers put the text of a line.

    Fluent Bit and Fluentd: `log` (the tail input's key) or `message`. Vector: `message`. Filebeat:
    `message`, and in `log` an object with the file's path.
    """

    kind: msgspec.Raw = _ABSENT
    auditID: msgspec.Raw = _ABSENT  # noqa: N815 - the event's own name
    log: msgspec.Raw = _ABSENT
    message: msgspec.Raw = _ABSENT


_wrapper: Callable[[bytes], _Wrapper] = msgspec.json.Decoder(_Wrapper).decode
_array: Callable[[bytes], list[msgspec.Raw]] = msgspec.json.Decoder(list[msgspec.Raw]).decode
_text: Callable[[msgspec.Raw], str] = msgspec.json.Decoder(str).decode
_check: Callable[[bytes], object] = msgspec.json.Decoder(msgspec.Raw).decode


def records_of(value: bytes) -> list[bytes]:
    """Return the records that a message holds, in its order, byte for byte; at least one.

    The items of an EventList or of an array of objects; the line that a shipper wrapped; else the
    value itself. Never raises. Linear.
    """
    return list(_records(value, _LIST_DEPTH))


def _records(value: bytes, depth: int) -> Iterator[bytes]:
    for part in _items(value):
        inner = _unwrapped(part)
        if inner is None or depth == 0:
            yield part
        else:
            yield from _records(inner, depth - 1)


def _items(value: bytes) -> list[bytes]:
    text = value.strip(BLANK)
    try:
        if text.startswith(b"["):
            items = [bytes(item) for item in _array(text)]
            return items if items and all(item.startswith(b"{") for item in items) else [value]
        if text.startswith(b"{") and b"EventList" in text:
            items = split(text) or scan(text)
            return [value] if items in ([], [text]) else items
    except (msgspec.MsgspecError, NotJsonError, TooManyEventsError, RecursionError):
        pass
    return [value]


def _unwrapped(value: bytes) -> bytes | None:
    """Return the line within a wrapper: an object, or what is left of an event that was cut off."""
    try:
        found = _wrapper(value)
        inner = found.log if bytes(found.log).startswith(b'"') else found.message
        if not inner or found.kind or found.auditID:
            return None
        line = _text(inner).encode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    is_record = _is_object(line) or salvage(line)
    return line if is_record or (is_text_record(line) and not _is_event(value)) else None


def _is_event(value: bytes) -> bool:
    """Whether an object is an event of a known format, which repeats a line in its message.

    Also what cannot be parsed at all: it is handed on as it is.
    """
    try:
        document, _ = load(value)
    except (orjson.JSONDecodeError, RecursionError):
        return True
    return known_decoder(document) is not None


def _is_object(line: bytes) -> bool:
    if not line.lstrip(BLANK).startswith(b"{"):
        return False
    try:
        _check(line)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
