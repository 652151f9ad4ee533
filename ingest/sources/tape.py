"""A stream of chunks as one tape: look ahead as far as needed, take what is done, know the place.

Separate from framing because it alone decides how much of a stream is in memory: what lies ahead
and was asked for, and at most a chunk more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.record import InputProblem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Tape:
    """The bytes of a stream from the current place on; indexes count from there.

    ``offset`` is the place in the stream, ``ahead`` the number of bytes in memory from there on,
    ``ended`` says that nothing comes after those. What the stream reports is in ``problems``.
    """

    __slots__ = ("_base", "_buffer", "_chunks", "_place", "ended", "problems")

    def __init__(self, chunks: Iterable[bytes | InputProblem]) -> None:
        self._chunks: Iterator[bytes | InputProblem] = iter(chunks)
        self._buffer = b""
        self._place = 0
        self._base = 0
        self.ended = False
        self.problems: list[InputProblem] = []

    @property
    def offset(self) -> int:
        """Bytes of the stream before the current place."""
        return self._base + self._place

    @property
    def ahead(self) -> int:
        """Bytes in memory from the current place on."""
        return len(self._buffer) - self._place

    def grow(self) -> bool:
        """Read on and say whether more lies ahead than before.

        A quarter more at least, so that a long value in small chunks costs no square of its length.
        """
        parts = [self._buffer[self._place :]]
        wanted = len(parts[0]) // 4
        gained = 0
        while not self.ended and gained <= wanted:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
            elif isinstance(chunk, InputProblem):
                self.problems.append(chunk)
            else:
                parts.append(chunk)
                gained += len(chunk)
        self._base += self._place
        self._place = 0
        self._buffer = b"".join(parts)
        return gained > 0

    def reach(self, size: int) -> bool:
        """Read on until ``size`` bytes lie ahead; False where the stream ends before."""
        while self.ahead < size:
            if not self.grow():
                return False
        return True

    def peek(self, start: int, stop: int) -> bytes:
        """Copy out what lies ahead between two indexes, as far as it is in memory."""
        return self._buffer[self._place + start : self._place + stop]

    def view(self) -> memoryview:
        """Look at all that lies ahead in memory, without copying it."""
        return memoryview(self._buffer)[self._place :]

    def find(self, wanted: bytes, start: int, stop: int) -> int:
        """Return the first index of ``wanted`` between two indexes, -1 if it is not in memory."""
        found = self._buffer.find(wanted, self._place + start, self._place + stop)
        return found if found < 0 else found - self._place

    def rfind(self, wanted: bytes, start: int, stop: int) -> int:
        """Return the last index of ``wanted`` between two indexes, -1 if it is not in memory."""
        found = self._buffer.rfind(wanted, self._place + start, self._place + stop)
        return found if found < 0 else found - self._place

    def skip(self, size: int) -> None:
        """Move on by ``size`` bytes, all of them in memory."""
        self._place += size

    def skip_over(self, characters: bytes) -> bytes | None:
        """Move on to the first byte that is none of ``characters``, or to the end.

        Returns what stands before it on its line, None where its line began before all this.
        """
        line = b"" if self.offset == 0 else None
        while self.ahead or self.grow():
            block = self.peek(0, 256)
            rest = block.lstrip(characters)
            gone = block[: len(block) - len(rest)]
            _, newline, last = gone.rpartition(b"\n")
            if newline:
                line = last
            elif line is not None:
                line += gone
            self.skip(len(gone))
            if rest:
                break
        return line
