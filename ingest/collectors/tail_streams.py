"""Looks at files in, the streams to read from out: which to open, to go on with, to let go.

Separate from `tail_plan`, which decides without touching anything, because this opens and closes
files, and from `tail`, which sends.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ingest.collectors import tail_lines
from ingest.collectors.tail_look import Look, Watch
from ingest.collectors.tail_plan import HEAD_BYTES, Verdict, head_of, plan
from ingest.collectors.tail_reader import DamagedError, open_reader
from ingest.collectors.tail_stream import Stream, restored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.tail import TailOptions
    from ingest.collectors.tail_checkpoint import Place
    from ingest.collectors.tail_lines import Piece
    from ingest.collectors.tail_plan import Decision

_READ: Final = frozenset({Verdict.SAME, Verdict.MOVED})

OPEN_FILES: Final = 256
"""Most files held open; more are read when others are done."""

RETRY_S: Final = 10.0
"""Time between attempts at a file that the disk does not give."""

JOIN_S: Final = 2.0
"""Time without a further line after which an auditd event is complete: auditd's own
``end_of_event_timeout``. Counts only while the file is read to its end."""

REMEMBERED: Final = 256
"""Contents without a file that are remembered: a copy of one may turn up, packed."""


class Streams:
    """All contents that are followed. ``unreadable`` names files that cannot be read, and why."""

    __slots__ = ("_note", "_options", "_streams", "_watch", "counts", "unreadable")

    def __init__(
        self,
        options: TailOptions,
        places: Sequence[Place],
        counts: CollectorCounts,
        note: Callable[..., None],
    ) -> None:
        self._options = options
        self._note = note
        self._watch = Watch(options.patterns)
        self._streams = {key: restored(key, place) for key, place in enumerate(places)}
        self.counts = counts
        self.unreadable: dict[str, str] = {}

    def places(self) -> list[Place]:
        """Return what is to be kept over a restart, oldest first."""
        return [stream.place() for stream in self._streams.values()]

    def behind(self) -> Iterator[Stream]:
        """Yield the streams that have more to read, as far as is known."""
        return (one for one in self._streams.values() if one.file and one.end is None)

    def readable(self) -> Iterator[Stream]:
        """Yield the stream to read on from: what was written first is sent first."""
        ready = [one for one in self._streams.values() if one.readable]
        if ready:
            yield min(ready, key=lambda one: (one.changed_ns, one.path))

    def unfinished(self, clock_s: float) -> Iterator[Stream]:
        """Yield the streams, read to their end, of whose held lines some are `JOIN_S` old.

        What is complete then was closed, and waits to be handed on. Where half a line stands at the
        end, it may be one of theirs: it is waited for as long as a file may be idle.
        """
        for stream in self._streams.values():
            if stream.joining and stream.is_at_end:
                wait_s = self._options.idle_s if stream.rest else JOIN_S
                stream.joining.settle(clock_s - wait_s)
                if stream.joining.done:
                    yield stream

    def holds_since(self, clock_s: float) -> bool:
        """Whether a line is held that was read at that time or before."""
        return any(
            one.touched_s <= clock_s
            for stream in self._streams.values()
            for one in stream.joining.held()
        )

    def close(self) -> None:
        """Close all files."""
        for stream in self._streams.values():
            stream.close()

    def look(self, clock_s: float) -> None:
        """Look at all files, and take in what became of each."""
        look = self._watch.look()
        before, self.unreadable = self.unreadable, look.unreadable
        self._lose_gone(look)
        decisions = plan([stream.known() for stream in self._streams.values()], look.seen)
        self._lose(decisions, look, clock_s)
        for decision in decisions:
            self._take_in(decision, look, clock_s)
        self._forget()
        for stream in sorted(self._streams.values(), key=lambda one: one.changed_ns):
            self._close_idle(stream, clock_s)
            self._open(stream, clock_s)
        for path in self.unreadable.keys() - before.keys():
            self._note("unreadable", path=path, reason=self.unreadable[path])

    def _lose_gone(self, look: Look) -> None:
        """Let files go that are gone and closed: their content may be elsewhere already."""
        for stream in list(self._streams.values()):
            if stream.file and stream.file not in look.changed_ns and not stream.reader:
                self._let_go(stream, "gone")

    def _lose(self, decisions: list[Decision], look: Look, clock_s: float) -> None:
        """Let files go that hold another content now; a gone one stays readable while open."""
        read = {decision.key for decision in decisions if decision.verdict in _READ}
        for stream in [one for key, one in self._streams.items() if key not in read and one.file]:
            if stream.file in look.changed_ns:
                self._let_go(stream, "replaced")
            elif stream.reader:
                state = stream.reader.stat()
                stream.rotated = True
                stream.grow(state.st_size, state.st_mtime_ns, clock_s)

    def _let_go(self, stream: Stream, why: str) -> None:
        self._note(why, path=stream.path, offset=stream.position, unread=stream.unread)
        stream.let_go()
        self._streams[stream.key] = self._streams.pop(stream.key)  # the last to be forgotten

    def _take_in(self, decision: Decision, look: Look, clock_s: float) -> None:
        seen, key = decision.seen, decision.key
        if key is None or decision.verdict is Verdict.COPY:
            return
        if decision.verdict is Verdict.NEW:
            self._streams[key] = Stream(key, seen.path, seen.file, head_of(seen.head))
        stream = self._streams[key]
        if decision.verdict is not Verdict.SAME or stream.path != seen.path:
            what = "renamed" if decision.verdict is Verdict.SAME else decision.verdict.value
            self._note(what, path=seen.path, offset=stream.position)
        stream.see(seen, look.changed_ns[seen.file], clock_s)

    def _forget(self) -> None:
        """Forget contents that no file holds, from a number on; never one with lines on the way."""
        lost = [
            one.key
            for one in self._streams.values()
            if one.file is None and not one.entries and not one.joining
        ]
        for key in lost[: max(0, len(lost) - REMEMBERED)]:
            del self._streams[key]

    def _close_idle(self, stream: Stream, clock_s: float) -> None:
        if stream.rest and self._is_last(stream, clock_s):
            stream.end = None  # read on: the half line is due
        quiet_s = clock_s - stream.grown_s
        if stream.reader and stream.end is not None and quiet_s >= self._options.idle_s:
            stream.close()

    def _open(self, stream: Stream, clock_s: float) -> None:
        if stream.file is None or stream.reader or stream.end is not None:
            return
        if clock_s < stream.retry_s or self._open_files() >= OPEN_FILES:
            return
        try:
            stream.reader = open_reader(stream.path, stream.file, packed=stream.packed)
        except OSError as error:
            self.unreadable[stream.path] = error.strerror or str(error)

    def _open_files(self) -> int:
        return sum(1 for one in self._streams.values() if one.reader)

    def take(self, stream: Stream, clock_s: float) -> Piece | None:
        """Read on; None if the file holds another content by now: look again.

        Raises what the reader raises.
        """
        reader = stream.reader
        if reader is None:
            return None
        size_bytes = reader.stat().st_size
        begin = b"" if stream.packed else reader.read(0, HEAD_BYTES)
        if not stream.packed and not _still(stream, begin):
            self._mistake(stream)
            return None
        piece = tail_lines.take(reader, stream.position)
        if piece.at_end and piece.rest and self._is_last(stream, clock_s):
            if stream.packed and not reader.ended:
                self._note("cut_off", path=stream.path, offset=piece.start)
            piece = tail_lines.take_rest(reader, piece.start)
        stream.joining.clock_s = clock_s
        sure = stream.head.length
        if not stream.packed and reader.read(0, sure) != begin[:sure]:
            self._mistake(stream)
            return None
        stream.position = piece.start
        if piece.at_end:
            stream.reach_end(piece.rest, size_bytes)
        return piece

    def _mistake(self, stream: Stream) -> None:
        """Let go of a file that was taken for another; the next look finds out what it is."""
        self._watch.forget(stream.file)
        stream.let_go()

    def _is_last(self, stream: Stream, clock_s: float) -> bool:
        """Whether half a line will not be completed any more."""
        if stream.reader and stream.reader.ended:
            return True
        quiet_s = clock_s - stream.grown_s
        if stream.rotated and not stream.packed:
            return quiet_s >= self._options.settle_s
        return quiet_s >= self._options.idle_s and (stream.packed or self._superseded(stream))

    def _superseded(self, stream: Stream) -> bool:
        """Whether another file of its folder was written later."""
        folder = os.path.dirname(stream.path)  # noqa: PTH120 - as text
        return any(
            one.changed_ns > stream.changed_ns and os.path.dirname(one.path) == folder  # noqa: PTH120
            for one in self._streams.values()
            if one.file
        )

    def give_up(self, stream: Stream, error: Exception, clock_s: float) -> None:
        """Stop reading a damaged file until it changes, one that the disk does not give for now."""
        if isinstance(error, DamagedError):
            stream.reach_end(0, stream.size_bytes)
            self.counts.refused["damaged-file"] += 1
        stream.retry_s = clock_s + RETRY_S
        stream.close()
        self._note("damaged", path=stream.path, offset=stream.position, reason=str(error))


def _still(stream: Stream, begin: bytes) -> bool:
    """Whether a file begins as it did; learn more of how it begins while it is short."""
    if stream.head.length and not stream.head.begins(begin):
        return False
    if stream.head.length < HEAD_BYTES:
        stream.head = head_of(begin)
    return True
