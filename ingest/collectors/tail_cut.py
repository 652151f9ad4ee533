"""A piece of a file in, one entry a record out, each fit for a message.

Separate because this is where a line becomes a record: bytes untouched, blank lines left out, and
what is too large salvaged, flagged and spooled. Lines of text that belong together are joined as
framing joins them, so that Kafka gets the records that a scan of the file finds; a line of text
that no format knows is sent as it is, and quarantined with its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.collectors.salvaging import Fitted, fit, head_of, pass_by, spool
from ingest.collectors.tail_lines import chunks
from ingest.collectors.tail_stream import Entry
from ingest.envelope import Envelope, Format
from ingest.record import Salvage, sha256_hex
from ingest.salvage import MAX_RECORD_BYTES, salvage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.tail_lines import Piece
    from ingest.collectors.tail_stream import Stream
    from ingest.sources.joining import Joined


class Cutter:
    """Makes entries for one cluster and collector."""

    __slots__ = ("_cluster", "_collector", "_counts", "_note", "_spool")

    def __init__(
        self,
        cluster: str,
        collector: str,
        spool: Path,
        counts: CollectorCounts,
        note: Callable[..., None],
    ) -> None:
        self._cluster = cluster
        self._collector = collector
        self._spool = spool
        self._counts = counts
        self._note = note

    def entries(self, stream: Stream, piece: Piece, now: datetime) -> Iterator[Entry]:
        """Yield the records of a piece; what is too large is worked on when it is asked for.

        Raises OSError or DamagedError for a giant line.
        """
        envelope = Envelope(self._cluster, self._collector, Format.RECORD, now, stream.path)
        if piece.giant:
            yield self._giant(stream, piece, envelope)
            return
        start = piece.start
        for line in piece.lines:
            stop = start + len(line) + 1
            if len(line) > MAX_RECORD_BYTES:
                yield self._large(stream, start, line, envelope)
            elif line[:1] == b"{":
                yield Entry(stream, start, stop, line, envelope)
            elif stream.joining.add(line.removesuffix(b"\r"), start, min(stop, piece.stop)):
                stream.hold(min(stop, piece.stop))
                yield from self.complete(stream, now)
            elif line and not line.isspace():
                yield Entry(stream, start, stop, line, envelope)
            start = stop
        if stream.joining:
            stream.joining.expire(start)
            yield from self.complete(stream, now)

    def complete(self, stream: Stream, now: datetime) -> Iterator[Entry]:
        """Yield the records of a stream's lines of text that are complete.

        Each is forgotten when the next is asked for, that is when it was handed on: until then the
        checkpoint must not pass it.
        """
        done = stream.joining.done
        while done:
            yield self._joined(stream, done[0], now)
            done.pop(0)

    def _joined(self, stream: Stream, one: Joined, now: datetime) -> Entry:
        envelope = Envelope(self._cluster, self._collector, Format.RECORD, now, stream.path)
        raw = one.raw
        saved = salvage(raw) if one.is_cut else None
        if saved:
            what = Salvage(saved.dropped, len(raw), sha256_hex(raw))
            raw, envelope = saved.raw, replace(envelope, salvage=what)
        return Entry(stream, one.start, one.stop, raw, envelope)

    def _large(self, stream: Stream, start: int, line: bytes, envelope: Envelope) -> Entry:
        fitted = fit(line) or head_of(line)
        kept = spool(self._spool, line)
        return self._flagged(
            Entry(stream, start, start + len(line) + 1, b"", envelope), fitted, kept
        )

    def _giant(self, stream: Stream, piece: Piece, envelope: Envelope) -> Entry:
        """Salvage a line that is never in memory as a whole. Raises OSError: read it again."""
        reader = stream.reader
        if reader is None:
            raise OSError("it was closed")
        stop = piece.stop - (reader.read(piece.stop - 1, 1) == b"\n")
        fitted, kept = pass_by(chunks(reader, piece.start, stop), self._spool)
        if fitted.salvage is None or fitted.salvage.size_bytes != stop - piece.start:
            raise OSError("it was cut while it was read")
        return self._flagged(Entry(stream, piece.start, piece.stop, b"", envelope), fitted, kept)

    def _flagged(self, entry: Entry, fitted: Fitted, kept: Path | None) -> Entry:
        entry.value = fitted.value
        entry.envelope = replace(entry.envelope, salvage=fitted.salvage)
        self._counts.salvaged += 1
        size_bytes = fitted.salvage.size_bytes if fitted.salvage else 0
        self._note(
            "too_large",
            path=entry.stream.path,
            offset=entry.start,
            size_bytes=size_bytes,
            spooled=kept is not None,
        )
        return entry
