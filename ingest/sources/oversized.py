"""A record larger than any message may be: its bytes pass by, and what tells the act is kept.

Separate from the other values because nothing here may hold the record. Its length and hash are
counted while it passes; bodies that do not fit leave a gap, and so what stands after them, the
times and the annotations, is still reached.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.json_scan import Nesting
from ingest.record import Reason, Salvage
from ingest.salvage import MAX_RECORD_BYTES, salvage

if TYPE_CHECKING:
    from ingest.sources.tape import Tape
    from ingest.sources.tray import Tray

_ROOM_BESIDE_BODIES: Final = 2 << 20
"""Bytes that bodies do not use up; of 64,869 recorded events none has 2 kB without its bodies."""

MAX_KEPT_BYTES: Final = MAX_RECORD_BYTES + _ROOM_BESIDE_BODIES
"""Most bytes held of one record."""

_WINDOW_BYTES: Final = 1 << 16
_BODY_DEPTH: Final = 2
"""Brackets that are open within a member's object or list."""


def take_oversized(tape: Tape, tray: Tray, next_start: bytes) -> None:
    """Take an object of any length, up to its end or to where the next record begins.

    Parameters
        next_start: line break and blanks and brace with which a record begins after this one.
    """
    passing = _Passing()
    offset = tape.offset
    while not passing.ended:
        tape.reach(_WINDOW_BYTES + len(next_start))
        seam = tape.find(next_start, 0, _WINDOW_BYTES + len(next_start))
        piece = tape.peek(0, _WINDOW_BYTES if seam < 0 else seam)
        if not piece:
            break
        tape.skip(passing.take(piece))
    passing.lay(tray, offset)


@dataclass(frozen=True, slots=True)
class _Place:
    """A place within a value, as far as brackets and strings go."""

    depth: int
    in_string: bool
    in_escape: bool


def _place(nesting: Nesting) -> _Place:
    return _Place(nesting.depth, nesting.in_string, nesting.in_escape)


class _Passing:
    """A record that passes: its size and hash so far, and its bytes as far as they are kept."""

    __slots__ = ("_gap", "_hash", "_kept", "_nesting", "_room", "_size", "ended")

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._size = 0
        self._kept: list[bytes] = []
        self._room = MAX_KEPT_BYTES
        self._gap: _Place | None = None
        self._nesting = Nesting()
        self.ended = False

    def take(self, piece: bytes) -> int:
        """Take the next bytes, up to the record's end; return how many they were."""
        before = _place(self._nesting)
        end = self._nesting.feed(piece)
        self.ended = end is not None
        piece = piece[:end]
        self._size += len(piece)
        self._hash.update(piece)
        self._keep(piece, before)
        return len(piece)

    def lay(self, tray: Tray, offset: int) -> None:
        """Lay what is left of the record on the tray, else its refusal."""
        sha256 = self._hash.hexdigest()
        raw = b"".join(self._kept)
        self._kept.clear()
        if saved := salvage(raw):
            tray.lay_salvaged(saved.raw, offset, Salvage(saved.dropped, self._size, sha256))
        else:
            why = f"larger than {MAX_RECORD_BYTES} bytes, and no audit event can be salvaged"
            tray.refuse(Reason.TOO_LARGE, offset, self._size, sha256, why)

    def _keep(self, piece: bytes, before: _Place) -> None:
        """Keep the bytes unless they are within a body and the room for bodies is used up."""
        in_body = not self.ended and self._nesting.low >= _BODY_DEPTH
        if in_body and len(piece) > self._room - _ROOM_BESIDE_BODIES:
            self._gap = self._gap or before
            return
        piece = (_bridge(self._gap, before) if self._gap else b"") + piece
        self._gap = None
        self._room -= len(piece)
        if self._room >= 0:  # else all is full, for good: the record is cut off here
            self._kept.append(piece)


def _bridge(gap: _Place, after: _Place) -> bytes:
    """Stand in for bytes that were left out, with their effect on brackets and strings.

    The NUL makes the member malformed for any decoder: with a gap in it, it must not pass for
    whole. The letter ends an escape that the gap may begin in.
    """
    change = max(-MAX_KEPT_BYTES, min(after.depth - gap.depth, MAX_KEPT_BYTES))
    brackets = b"[" * change + b"]" * -change
    opening = b'"' if after.in_string else b""
    escape = b"\\" if after.in_escape else b""
    return b"n" + (b'"' if gap.in_string else b"") + b"\0" + brackets + opening + escape
