"""One content that is followed: what was handed on of it, and what of that Kafka has.

Separate from `tail` because this is where an offset may be trusted: it passes no line that was not
acknowledged.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from ingest.collectors.tail_checkpoint import Place
from ingest.collectors.tail_plan import FileId, Head, Known
from ingest.sources.joining import Joining

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ingest.collectors.tail_plan import Seen
    from ingest.collectors.tail_reader import Reader
    from ingest.envelope import Envelope
    from ingest.sources.joining import Joined


class Entry:
    """One record on its way: its place, and its value until it is acknowledged."""

    __slots__ = ("done", "envelope", "start", "stop", "stream", "value")

    def __init__(
        self, stream: Stream, start: int, stop: int, value: bytes, envelope: Envelope
    ) -> None:
        self.stream = stream
        self.start = start
        self.stop = stop
        self.value = value
        self.envelope = envelope
        self.done = False

    def arrive(self) -> None:
        """Learn that Kafka has it."""
        self.done, self.value = True, b""
        self.stream.settle()


@dataclass(slots=True)
class Stream:
    """A content and the file that it is read from.

    ``position`` is what was handed on, always at a line's beginning. ``end`` is set once the file
    was read to its end, ``rest`` the half line there, ``end_size`` the file's size then.
    ``changed_ns`` is the file's own time, ``grown_s`` when it was last seen to have grown.
    ``rotated``: nobody is expected to write to the file any more. ``retry_s``: a file that the
    disk did not give is not opened again before. ``joining`` holds lines of text that may belong
    together; ``mixed``: it has held some, so that entries may be in another order than the file.
    """

    key: int
    path: str
    file: FileId | None
    head: Head = field(default_factory=Head)
    position: int = 0
    packed: bool = False
    reader: Reader | None = None
    entries: deque[Entry] = field(default_factory=deque)
    end: int | None = None
    end_size: int = -1
    finished: int = -1
    changed_ns: int = 0
    grown_s: float = 0.0
    size_bytes: int = -1
    rotated: bool = False
    retry_s: float = float("-inf")
    joining: Joining = field(default_factory=Joining)
    mixed: bool = False

    @property
    def acknowledged(self) -> int:
        """Offset up to which Kafka has everything."""
        if self.mixed:
            waiting: Iterable[Entry | Joined] = chain(self.entries, self.joining.held())
            return min((one.start for one in waiting), default=self.position)
        return self.entries[0].start if self.entries else self.position

    @property
    def rest(self) -> int:
        """Bytes of half a line at the end."""
        return 0 if self.end is None else self.end - self.position

    @property
    def unread(self) -> int:
        """Bytes of its file that were not handed on, as far as is known."""
        return 0 if self.packed else max(0, self.size_bytes - self.position)

    @property
    def is_at_end(self) -> bool:
        """Whether all was read that is there."""
        return self.end is not None or self.file is None

    @property
    def readable(self) -> bool:
        """Whether there is more to read, and where from."""
        return self.end is None and self.reader is not None

    def hand_on(self, entry: Entry) -> None:
        """Note a line that the producer has taken."""
        self.entries.append(entry)
        self.position = max(self.position, entry.stop)

    def hold(self, stop: int) -> None:
        """Note a line that is held until its record is complete."""
        self.mixed = True
        self.position = stop

    def settle(self) -> None:
        """Forget the lines that are acknowledged together with all before them."""
        while self.entries and self.entries[0].done:
            self.entries.popleft()

    def known(self) -> Known:
        """Return what a plan needs to know."""
        return Known(self.key, self.file, self.position, self.head, self.end)

    def place(self) -> Place:
        """Return what is kept over a restart."""
        file = self.file or FileId(0, 0)
        return Place(
            path=self.path.encode(errors="replace").decode(),
            device=file.device,
            inode=file.inode,
            offset=self.acknowledged,
            head_bytes=self.head.length,
            head_sha256=self.head.sha256,
            finished=-1 if self.entries or self.joining else self.finished,
        )

    def see(self, seen: Seen, changed_ns: int, clock_s: float) -> None:
        """Take in what a look showed of its file."""
        if self.file != seen.file or self.path != seen.path:
            self.rotated = True
        self.packed = seen.packed
        if self.file != seen.file:
            self.let_go()
        self.path, self.file = seen.path, seen.file
        self.grow(seen.size_bytes, changed_ns, clock_s)

    def grow(self, size_bytes: int, changed_ns: int, clock_s: float) -> None:
        """Take in the size that its file has now."""
        if size_bytes != self.size_bytes:
            self.size_bytes, self.grown_s = size_bytes, clock_s
        if self.packed and size_bytes == self.finished and self.end is None:
            self.end, self.end_size = self.position, size_bytes
        if size_bytes != self.end_size:
            self.end = None
        self.changed_ns = changed_ns

    def reach_end(self, rest: int, size_bytes: int) -> None:
        """Note that there is nothing more than half a line; the file had this size before."""
        self.end, self.end_size = self.position + rest, size_bytes
        if self.packed and self.reader and self.reader.ended and not rest:
            self.finished = size_bytes

    def let_go(self) -> None:
        """Lose the file: it is gone, or holds another content now."""
        self.close()
        self.file, self.end, self.rotated = None, None, True
        self.size_bytes = self.end_size = self.finished = -1

    def close(self) -> None:
        """Close the file; it may be opened again."""
        if self.reader is not None:
            self.reader.close()
        self.reader = None


def restored(key: int, place: Place) -> Stream:
    """Return the stream that a checkpoint speaks of."""
    return Stream(
        key,
        place.path,
        FileId(place.device, place.inode) if place.inode else None,
        Head(place.head_bytes, place.head_sha256),
        place.offset,
        finished=place.finished,
    )
