"""Lines of text in, whole records out: lines of one auditd event, parts of one container line.

Separate from framing because the collector that follows files does the same: what Kafka gets must
be what a scan of the file finds. What belongs together depends on the bytes of the stream alone,
never on how they were cut into chunks.

An auditd event is the lines with the same node and the same ``audit(time:serial)``. The kernel
writes them together, but lines of other processors' events and of user space stand between. An
event ends with its PROCTITLE line (the kernel's last but EOE; audit-userspace's auparse ends it
there too), with EOE, and where it is a message from user space, which has one line. Where PROCTITLE
is switched off, it ends when ``OPEN_EVENTS`` others have begun or ``REACH_BYTES`` have followed its
last line. An EOE line whose event has ended holds nothing, and is passed like a blank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.formats.container_line import ContainerLine, container_line
from ingest.formats.text_lines import begins_record, is_text_record
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPEN_EVENTS: Final = 64
"""Most auditd events open at once. Their lines are interleaved by as many as there are processors
in a system call when it ends; go-libaudit keeps 50."""

REACH_BYTES: Final = 1 << 20
"""Bytes after which nothing more of an event or a line is expected: several thousand lines."""

_PARTS: Final = frozenset(
    {b"SYSCALL", b"EXECVE", b"CWD", b"PATH", b"PROCTITLE", b"SOCKADDR", b"EOE"}
)
_LAST: Final = frozenset({b"PROCTITLE", b"EOE"})
_ID_PREFIX: Final = b" msg=audit("
_AUDITD: Final = frozenset({b"t", b"n"})


@dataclass(slots=True)
class Joined:
    """Lines that belong together.

    ``start`` is where the first line begins and ``stop`` behind the last, ``offset`` where the
    record begins. ``touched_s`` is when its last line came. ``is_cut``: the rest of a container's
    line never came.
    """

    start: int
    stop: int
    offset: int
    lines: list[bytes]
    size_bytes: int
    touched_s: float
    is_cut: bool = False

    @property
    def raw(self) -> bytes:
        """Return the record."""
        return self.lines[0] if len(self.lines) == 1 else b"\n".join(self.lines)

    def append(self, line: bytes, stop: int, touched_s: float) -> None:
        """Add a line."""
        self.lines.append(line)
        self.stop = stop
        self.size_bytes += len(line) + 1
        self.touched_s = touched_s


class Joining:
    """Records of text that are not complete yet, and the complete ones, until they are taken.

    ``clock_s`` is what the lines that are added are stamped with; only who waits for time to pass
    needs to set it. Memory: 8 MiB of events, and as much for each stream of a container.
    """

    __slots__ = ("_events", "_parts", "_size", "clock_s", "done")

    def __init__(self) -> None:
        self._events: dict[bytes, Joined] = {}
        self._parts: dict[bytes, Joined] = {}
        self._size = 0
        self.clock_s = 0.0
        self.done: list[Joined] = []

    def __bool__(self) -> bool:
        """Whether something is open, or complete and not taken."""
        return bool(self._events or self._parts or self.done)

    def held(self) -> Iterator[Joined]:
        """Yield what is open, and what is complete and not taken."""
        yield from self._events.values()
        yield from self._parts.values()
        yield from self.done

    def wants(self, line: bytes) -> bool:
        """Whether a line, or its head, is of a record; also one that only goes on with another."""
        if is_text_record(line):
            return True
        inside = container_line(line) if self._parts else None
        return inside is not None and inside.stream in self._parts

    def add(self, line: bytes, start: int, stop: int) -> bool:
        """Take a line without its line break; False if it is of no record."""
        first = line[:1]
        if first.isdigit() and (inside := container_line(line)) is not None:
            return self._add_container(line, inside, start, stop)
        if not is_text_record(line):
            return False
        self._add_text(line, start, stop, start)
        return True

    def expire(self, offset: int) -> None:
        """Close what nothing before ``offset`` has continued for ``REACH_BYTES``."""
        self._close_if(lambda one: one.stop < offset - REACH_BYTES)

    def settle(self, before_s: float) -> None:
        """Close what no line has come of since a time."""
        self._close_if(lambda one: one.touched_s <= before_s)

    def close(self) -> None:
        """Close everything; what came first, first."""
        self._close_if(lambda _: True)

    def take(self) -> list[Joined]:
        """Return the complete records and forget them."""
        done, self.done = self.done, []
        return done

    def _close_if(self, is_due: Callable[[Joined], bool]) -> None:
        for key in [key for key, one in self._events.items() if is_due(one)]:
            self._close_event(key)
        for key in [key for key, one in self._parts.items() if is_due(one)]:
            self._cut(key)

    def _close_event(self, key: bytes) -> None:
        event = self._events.pop(key)
        self._size -= event.size_bytes
        self.done.append(event)

    def _cut(self, key: bytes) -> None:
        begun = self._parts.pop(key)
        begun.is_cut, begun.lines = True, [b"".join(begun.lines)]
        self.done.append(begun)

    def _add_text(self, line: bytes, start: int, stop: int, offset: int) -> None:
        """Take a record of text, which may be a line of an auditd event."""
        event_id, kind = _event(line)
        event = self._events.get(event_id)
        if event is not None and start - event.stop > REACH_BYTES:
            self._close_event(event_id)
            event = None
        if event is None and _is_alone(event_id, kind, line):
            if kind != b"EOE" or not line.endswith((b"):", b"): ")):
                self._finish([line], start, stop, offset)
            return
        self._make_room(len(line) + 1)
        event = self._events.get(event_id)
        if event is None:
            event = Joined(start, stop, offset, [], 0, self.clock_s)
            self._events[event_id] = event
        event.append(line, stop, self.clock_s)
        self._size += len(line) + 1
        if kind in _LAST:
            self._close_event(event_id)
        elif len(self._events) > OPEN_EVENTS:
            self._close_event(next(iter(self._events)))

    def _make_room(self, size_bytes: int) -> None:
        while self._events and self._size + size_bytes > MAX_RECORD_BYTES:
            self._close_event(next(iter(self._events)))

    def _add_container(self, line: bytes, inside: ContainerLine, start: int, stop: int) -> bool:
        """Take a line of a container's log: whole, or a part of one."""
        key, content = inside.stream, line[inside.place :]
        begun = self._parts.get(key)
        if begun is not None and (
            start - begun.stop > REACH_BYTES or begun.size_bytes + len(content) >= MAX_RECORD_BYTES
        ):
            self._cut(key)
            begun = None
        if begun is None:
            begun = Joined(start, stop, start + inside.place, [], 0, self.clock_s)
            if not begins_record(content):
                return False
            self._parts[key] = begun
        begun.append(content, stop, self.clock_s)
        if not inside.is_part:
            del self._parts[key]
            self._finish_content(b"".join(begun.lines), begun)
        return True

    def _finish_content(self, content: bytes, begun: Joined) -> None:
        """Take what a container wrote; lines of auditd are joined here as elsewhere."""
        if content[:1] in _AUDITD and is_text_record(content):
            self._add_text(content, begun.start, begun.stop, begun.offset)
        else:
            self._finish([content], begun.start, begun.stop, begun.offset)

    def _finish(self, lines: list[bytes], start: int, stop: int, offset: int) -> None:
        self.done.append(Joined(start, stop, offset, lines, len(lines[0]), self.clock_s))


def _event(line: bytes) -> tuple[bytes, bytes]:
    """Return what tells an auditd event from others, and the type of the line.

    The first is empty where the line is not auditd's.
    """
    place = line.find(_ID_PREFIX) if line[:1] in _AUDITD else -1
    end = line.find(b")", place)
    if place < 0 or end < 0:
        return b"", b""
    start = line.find(b"type=", 0, place) + 5
    return line[: start - 5] + line[place + len(_ID_PREFIX) : end], line[start:place]


def _is_alone(event_id: bytes, kind: bytes, line: bytes) -> bool:
    """Whether a line is a record by itself, given that its event has no line before it.

    User space's messages stand in quotes, the daemon's own do not.
    """
    if kind in _PARTS:
        return kind in _LAST
    return not event_id or b" msg='" in line or kind.startswith(b"DAEMON_")
