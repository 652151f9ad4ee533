"""One body of a sensor's alerts in, the alerts out, each as the very bytes that were sent.

Separate from the API server's batches because sensors agree on no list: Falco, falcosidekick and
Tracee's webhook send one object a request, log shippers an array or one object a line. As there,
what is wrong within one alert must cost no other.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.collectors.event_list import (
    MAX_EVENTS,
    NotJsonError,
    TooManyEventsError,
    array_items,
    end_of,
)
from ingest.json_scan import BLANK

_DENSE_BYTES: Final = 1 << 20
_BYTES_A_COMMA: Final = 16
"""As in `event_list`: an array of eight million numbers would cost 0.5 GB as views."""

_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_lines = msgspec.json.Decoder(msgspec.Raw).decode_lines
_check = msgspec.json.Decoder(msgspec.Raw).decode


def split(body: bytes) -> list[bytes] | None:
    """Return the alerts of a body, in its order, byte for byte.

    An object, the items of an array, or the objects of several lines.

    Returns
        None if a decoder is not up to this body: `scan` it.

    Raises
        TooManyEventsError: more than `MAX_EVENTS` alerts.
    """
    text = body.strip(BLANK)
    if len(text) > _DENSE_BYTES and text.count(b",") * _BYTES_A_COMMA > len(text):
        return None
    try:
        if text.startswith(b"["):
            return _bounded([bytes(item) for item in _decode_array(text)])
        if text.startswith(b"{"):
            return _objects(text)
    except (msgspec.DecodeError, RecursionError):
        pass
    return None


def _objects(text: bytes) -> list[bytes] | None:
    """One object, over several lines or not, else one a line."""
    try:
        _check(text)
    except msgspec.DecodeError:
        found = [bytes(line) for line in _decode_lines(text)]
        return _bounded(found) if all(line.startswith(b"{") for line in found) else None
    return [text]


def _bounded(found: list[bytes]) -> list[bytes]:
    if len(found) > MAX_EVENTS:
        raise TooManyEventsError
    return found


def scan(body: bytes) -> list[bytes]:
    """Split by quotes and brackets alone: whatever is wrong inside an alert stays inside it.

    For what `split` is not up to; otherwise as that. Not for the thread of an event loop.

    Raises
        NotJsonError: nothing, text (Falco without `json_output`), or something between the alerts.
        TooManyEventsError: as `split`.
    """
    text = body.strip(BLANK)
    if text.startswith(b"["):
        if end_of(text, 0) != len(text):
            raise NotJsonError
        return list(array_items(text, 0, len(text)))
    found: list[bytes] = []
    place = 0
    while place < len(text) or not found:
        end = end_of(text, place) if text.startswith(b"{", place) else None
        if end is None:
            raise NotJsonError
        found.append(text[place:end])
        _bounded(found)
        place = end
        while text[place : place + 1] and text[place] in BLANK:
            place += 1
    return found
