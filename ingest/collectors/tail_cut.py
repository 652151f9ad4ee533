"""A piece of a file in, one entry a line out, each fit for a message.

Separate because this is where a line becomes a record: bytes untouched, blank lines left out, and
what is too large salvaged, flagged and spooled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ingest.collectors.salvaging import Fitted, fit, head_of, pass_by, spool
from ingest.collectors.tail_lines import chunks
from ingest.collectors.tail_stream import Entry
from ingest.envelope import Envelope, Format
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from ingest.collectors.counts import CollectorCounts
    from ingest.collectors.tail_lines import Piece
    from ingest.collectors.tail_stream import Stream


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
        envelope = Envelope(
            self._cluster, self._collector, Format.KUBERNETES_AUDIT, now, stream.path
        )
        if piece.giant:
            yield self._giant(stream, piece, envelope)
            return
        start = piece.start
        for line in piece.lines:
            stop = start + len(line) + 1
            if len(line) > MAX_RECORD_BYTES:
                yield self._large(stream, start, line, envelope)
            elif line and not line.isspace():
                yield Entry(stream, start, stop, line, envelope)
            start = stop

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
