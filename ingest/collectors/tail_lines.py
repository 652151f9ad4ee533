"""An open file and an offset in; the whole lines that follow out, however long they are.

Separate because a line is a record: this alone decides where one ends, that half a line waits, and
how much of a line is ever in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.collectors.tail_reader import Reader

CHUNK_BYTES: Final = 1 << 20
"""Bytes read at once: about 400 audit lines."""

LINE_BYTES: Final = 16 << 20
"""Longest line held in memory; a longer one is a `Giant`. Twice what a message takes."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What follows ``start``: lines without their newlines up to ``stop``, or one giant line.

    ``start`` is past the zero bytes that a file truncated under its writer begins with. ``at_end``:
    there is no whole line, only ``rest`` bytes of half a one.
    """

    start: int
    stop: int
    lines: list[bytes]
    giant: bool = False
    at_end: bool = False
    rest: int = 0


def take(reader: Reader, offset: int) -> Piece:
    """Read the next whole lines, about ``CHUNK_BYTES`` of them or one longer line.

    Raises what the reader raises.
    """
    size = CHUNK_BYTES
    while True:
        data = reader.read(offset, size)
        if data.startswith(b"\0"):
            offset += len(data) - len(data.lstrip(b"\0"))
            continue
        if stop := data.rfind(b"\n") + 1:
            return Piece(offset, offset + stop, data[: stop - 1].split(b"\n"))
        if len(data) < size:
            return Piece(offset, offset, [], at_end=True, rest=len(data))
        if size == LINE_BYTES:
            return _giant(reader, offset)
        size = min(size * 4, LINE_BYTES)


def take_rest(reader: Reader, offset: int) -> Piece:
    """Take the line that nothing will end any more."""
    data = reader.read(offset, LINE_BYTES + 1)
    if len(data) <= LINE_BYTES:
        return Piece(offset, offset + len(data), [data])
    size = sum(map(len, chunks(reader, offset, None)))
    return Piece(offset, offset + size, [], giant=True)


def _giant(reader: Reader, offset: int) -> Piece:
    """Look for the end of a line that is too long to be held."""
    place = offset
    for data in chunks(reader, offset, None):
        if found := data.find(b"\n") + 1:
            return Piece(offset, place + found, [], giant=True)
        place += len(data)
    return Piece(offset, offset, [], at_end=True, rest=place - offset)


def chunks(reader: Reader, offset: int, stop: int | None) -> Iterator[bytes]:
    """Read on from ``offset``, to ``stop`` or the present end."""
    while data := reader.read(
        offset, CHUNK_BYTES if stop is None else min(CHUNK_BYTES, stop - offset)
    ):
        yield data
        offset += len(data)
