"""An open file in, bytes of its content at any offset out, packed or not.

Separate because offsets are those of the unpacked content everywhere else, and because an open file
stays readable when it is renamed or deleted: that is what saves its rest.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from isal import isal_zlib

if TYPE_CHECKING:
    from ingest.collectors.tail_plan import FileId

GZIP_MAGIC: Final = b"\x1f\x8b"
_PACKED_BYTES: Final = 1 << 18
_UNPACKED_BYTES: Final = 1 << 20
_GZIP_WINDOW_BITS: Final = 31
_ERROR: Final = cast("type[Exception]", isal_zlib.error)


class DamagedError(Exception):
    """A packed file that cannot be unpacked further; the message says where."""


class Reader(Protocol):
    """One open file. ``ended``: it is complete, no more will come."""

    ended: bool

    def read(self, offset: int, size: int) -> bytes:
        """Return the content from ``offset`` on, less than ``size`` only at its present end.

        Raises
            OSError: the disk does.
            DamagedError: after everything before the damage was given.
        """

    def stat(self) -> os.stat_result:
        """Return the open file's own state."""

    def close(self) -> None:
        """Let the file go."""


def open_reader(path: str, file: FileId, *, packed: bool) -> Reader | None:
    """Open a file; None if the path leads to another file by now. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    stat = os.fstat(descriptor)
    if (stat.st_dev, stat.st_ino) != (file.device, file.inode):
        os.close(descriptor)
        return None
    return PackedReader(descriptor) if packed else PlainReader(descriptor)


def read_head(path: str, size: int) -> tuple[bytes, bool]:
    """Return how a file's content begins, and whether it is packed. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        head = os.pread(descriptor, size, 0)
        if not head.startswith(GZIP_MAGIC):
            return head, False
        try:
            return PackedReader(descriptor).read(0, size), True
        except DamagedError:
            return b"", True
    finally:
        os.close(descriptor)


class PlainReader:
    """A file that is its content."""

    __slots__ = ("_descriptor", "ended")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.ended = False

    def read(self, offset: int, size: int) -> bytes:
        """Return the content from ``offset`` on."""
        return os.pread(self._descriptor, size, offset)

    def stat(self) -> os.stat_result:
        """Return the open file's own state."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)


class PackedReader:
    """A gzip file, read forward; going back to before the last offset starts it again.

    It may still be written: what is there can be read. Holds what was asked for last and a piece.
    """

    __slots__ = (
        "_buffer",
        "_careful_from",
        "_decoder",
        "_descriptor",
        "_error",
        "_place",
        "_raw",
        "_start",
        "ended",
    )

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._careful_from: int | None = None
        self._error: Exception | None = None
        self._restart()

    def _restart(self) -> None:
        self._buffer = bytearray()
        self._start = 0  # offset of the buffer in the content
        self._place = 0  # what was read of the file
        self._raw = b""  # read and not unpacked yet
        self._decoder: Any = isal_zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
        self.ended = False

    def read(self, offset: int, size: int) -> bytes:
        """Return the content from ``offset`` on."""
        if offset < self._start:
            self._restart()
        while self._skip(offset) < size and self._grow():
            pass
        return bytes(self._buffer[:size])

    def stat(self) -> os.stat_result:
        """Return the open file's own state."""
        return os.fstat(self._descriptor)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._descriptor)

    def _skip(self, offset: int) -> int:
        """Drop what lies before ``offset``; return how much lies behind it."""
        gone = min(offset - self._start, len(self._buffer))
        del self._buffer[:gone]
        self._start += gone
        return len(self._buffer) if self._start == offset else 0

    def _grow(self) -> bool:
        """Unpack a little more; False at the present end."""
        if self._error is not None:
            return self._fail(self._error)
        if not self._raw:
            careful = self._careful_from is not None and self._place >= self._careful_from
            self._raw = os.pread(self._descriptor, 1 if careful else _PACKED_BYTES, self._place)
            self._place += len(self._raw)
        if self._decoder.eof and not self._next_member():
            return False
        try:
            piece = self._decoder.decompress(self._raw, _UNPACKED_BYTES)
        except _ERROR as error:
            return self._fail(error)
        given, self._raw = self._raw, self._decoder.unconsumed_tail
        if self._decoder.eof:
            self._raw = self._decoder.unused_data
        self._buffer += piece
        return bool(given or piece)

    def _next_member(self) -> bool:
        """Go on with the member that follows; zero bytes are padding, anything else is damage."""
        more = os.pread(self._descriptor, max(0, len(GZIP_MAGIC) - len(self._raw)), self._place)
        self._place += len(more)
        self._raw += more
        if self._raw.startswith(GZIP_MAGIC):
            self._decoder = isal_zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
            return True
        if self._raw.strip(b"\0"):
            return self._fail(ValueError("no gzip header"))
        self.ended = True
        return False

    def _fail(self, error: Exception) -> bool:
        """Unpack once more, the damaged piece byte by byte: else what it held before is lost.

        The second time, everything before the damage was given: then raise.
        """
        if self._careful_from is None:
            self._careful_from = self._place - len(self._raw)
            self._restart()
            return True
        self._error = error
        if self._buffer:
            return False
        raise DamagedError(f"damaged gzip data near byte {self._place}: {error}") from error
