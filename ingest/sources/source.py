"""An open file read piece by piece, with its position and its progress.

Separate from decompression because that must not care whether it reads a file, which can be read
again, or a pipe, which cannot and gives whatever it has.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

STDIN: Final = "-"
"""The path that stands for standard input."""

READ_BYTES: Final = 1 << 18
"""Bytes read at once; from 16 KiB on, more is not faster (isal and zstd, 2026-11-21)."""


def open_input(path: str) -> BinaryIO:
    """Open a file or standard input for unbuffered reading.

    Raises
        OSError: it is missing, a folder, or may not be read.
    """
    if path == STDIN:
        return cast("BinaryIO", open(0, "rb", buffering=0, closefd=False))
    return cast("BinaryIO", Path(path).open("rb", buffering=0))


class Source:
    """A file from its beginning on. ``position`` counts the bytes read so far."""

    __slots__ = ("_file", "_progress", "position")

    def __init__(self, file: BinaryIO, progress: Callable[[int], None]) -> None:
        self._file = file
        self._progress = progress
        self.position = 0

    def read(self) -> bytes:
        """Return the next bytes, at most ``READ_BYTES``; none at the end. Raises OSError."""
        data = self._file.read(READ_BYTES)
        self.position += len(data)
        self._progress(len(data))
        return data

    def read_at_least(self, size: int) -> bytes:
        """Return the next bytes, ``size`` of them or more unless the file ends before."""
        data = b""
        while len(data) < size and (more := self.read()):
            data += more
        return data

    def again(self, start: int, slowly_from: int) -> Iterator[bytes]:
        """Yield what was read from ``start`` on once more, from ``slowly_from`` byte by byte.

        Yields nothing where the file cannot be read again.
        """
        if not self._file.seekable():
            return
        self._file.seek(start)
        while start < slowly_from and (
            data := self._file.read(min(READ_BYTES, slowly_from - start))
        ):
            start += len(data)
            yield data
        slow = self._file.read(self.position - start)
        yield from (slow[i : i + 1] for i in range(len(slow)))
