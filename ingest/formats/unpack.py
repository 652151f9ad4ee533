"""Base64 and gzip of a cloud's transport become the bytes within, at most so many.

Separate from the envelopes because several clouds pack the same way, and because what is packed
may be a bomb: the bound is kept here.
"""

from __future__ import annotations

import binascii
import zlib
from typing import TYPE_CHECKING, Final

from ingest.json_scan import BLANK, value_end
from ingest.record import Reason
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_UNPACKED_BYTES: Final = 4 * MAX_RECORD_BYTES
"""Most bytes that one envelope unpacks to. Audit events shrink to a tenth, and Lambda's event of a
subscription has at most 6 MB, Kinesis' record 1 MB: more is a bomb."""

MAX_MEMBERS: Final = 100
"""Gzip members in one value (Firehose concatenates), and documents in it: each member costs a
decompressor of its own."""

_MAGIC: Final = b"\x1f\x8b"
_GZIP: Final = 16 + zlib.MAX_WBITS
_GROUP: Final = 4
_BRACE: Final = b"{"


class UnpackError(Exception):
    """What is packed cannot be unpacked, or not to its end; ``reason`` says which."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def unpacked(text: str) -> bytes:
    """Return what stands within base64 text, decompressed if it is gzip.

    Raises ``UnpackError``. Linear; at most ``MAX_UNPACKED_BYTES`` come out.
    """
    try:
        raw = binascii.a2b_base64(text.encode(), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        is_cut = len(text) % _GROUP != 0
        reason = Reason.TRUNCATED if is_cut else Reason.NOT_AN_EVENT
        raise UnpackError(reason, f"base64 of an envelope: {error}") from error
    return gunzipped(raw) if is_gzip(raw) else raw


def is_gzip(raw: bytes) -> bool:
    """Whether the bytes begin as gzip does."""
    return raw.startswith(_MAGIC)


def gunzipped(raw: bytes) -> bytes:
    """Return all gzip members of a value, one after another; raises ``UnpackError``."""
    found: list[bytes] = []
    room = MAX_UNPACKED_BYTES
    while is_gzip(raw):
        if len(found) == MAX_MEMBERS:
            raise UnpackError(Reason.TOO_LARGE, f"more than {MAX_MEMBERS} gzip members")
        piece, raw = _member(raw, room)
        room -= len(piece)
        found.append(piece)
    return b"".join(found)


def _member(raw: bytes, room: int) -> tuple[bytes, bytes]:
    """Decompress the first member; return it and what follows."""
    stream = zlib.decompressobj(_GZIP)
    try:
        piece = stream.decompress(raw, room + 1)
    except zlib.error as error:
        raise UnpackError(Reason.NOT_AN_EVENT, f"gzip of an envelope: {error}") from error
    if len(piece) > room:
        limit = f"more than {MAX_UNPACKED_BYTES} bytes"
        raise UnpackError(Reason.TOO_LARGE, f"an envelope unpacks to {limit}")
    if not stream.eof:
        raise UnpackError(Reason.TRUNCATED, "gzip of an envelope: cut off")
    return piece, stream.unused_data


def documents(raw: bytes) -> Iterator[bytes]:
    """Yield the JSON objects that stand one after another; what is none of them as it is.

    Raises ``UnpackError`` where there are more than ``MAX_MEMBERS``. Linear.
    """
    place = number = 0
    while place < len(raw):
        if raw[place] in BLANK:
            place += 1
            continue
        end = value_end(raw, place) if raw[place] in _BRACE else None
        if number == MAX_MEMBERS:
            raise UnpackError(Reason.TOO_LARGE, f"more than {MAX_MEMBERS} documents")
        yield raw[place:end]
        number += 1
        place = len(raw) if end is None else end
