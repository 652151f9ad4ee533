"""Event frames become one Parquet table in an open stream, a row group at a time.

Separate because a scan's events.parquet and a segment of the archive hold the same table and differ
only in how the file appears and in what its footer says.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final
from weakref import WeakSet

import polars as pl
import pyarrow.parquet as pq

from ingest.schema import SCHEMA_VERSION, empty_events

if TYPE_CHECKING:
    from collections.abc import Mapping

ROW_GROUP: Final = 20_000
"""Rows of a row group: larger ones cost less CPU (2.8 us an event at 20,000, 3.7 at 5,000; measured
2026-11-21 on the sample) and more memory (about 60 MB here)."""

ROW_GROUP_BYTES: Final = 64 << 20
"""Bytes of Polars' buffers that end a row group early: large bodies must not make it large."""

SCHEMA_KEY: Final = "trailwarden.schema_version"

_UNIQUE: Final = frozenset(
    {
        "event.id",
        "trailwarden.act.id",
        "kubernetes.audit.auditID",
        "kubernetes.audit.requestObject",
    }
)
"""A dictionary of values that never recur only costs."""

_WITH_STATISTICS: Final = ["@timestamp", "orchestrator.cluster.name"]


_holding: WeakSet[EventTable] = WeakSet()
"""Tables that hold rows back: a worker has one for each partition, one bound is theirs together."""


class EventTable:
    """Appends event frames to a stream; memory does not grow with the table.

    ``sort_by`` names a column that the rows of each row group are sorted by; rows that are equal
    in it keep their order.
    """

    __slots__ = ("__weakref__", "_held", "_held_bytes", "_sort_by", "_writer", "held_rows", "rows")

    def __init__(self, stream: IO[bytes], sort_by: str | None = None) -> None:
        self._held: list[pl.DataFrame] = []
        self.held_rows = self._held_bytes = 0
        self._sort_by = sort_by
        self.rows = 0
        schema = _arrow(empty_events()).schema
        self._writer = pq.ParquetWriter(
            stream,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in schema.names if name not in _UNIQUE],
            write_statistics=_WITH_STATISTICS,
            store_schema=False,
        )

    def write(self, events: pl.DataFrame) -> None:
        """Append events (EVENT_SCHEMA)."""
        self._held.append(events)
        self.held_rows += events.height
        self._held_bytes += int(events.estimated_size())
        self.rows += events.height
        _holding.add(self)
        if self._held_bytes >= ROW_GROUP_BYTES:
            self.flush()
        # All together: a slice of a batch keeps the whole batch in memory until it is written.
        if sum(table.held_rows for table in _holding) >= ROW_GROUP:
            for table in list(_holding):
                table.flush()

    def close(self, metadata: Mapping[str, str]) -> None:
        """Write what is held and the footer, with ``metadata`` in it; the stream stays open."""
        self.flush()
        self._writer.add_key_value_metadata({SCHEMA_KEY: str(SCHEMA_VERSION), **metadata})
        self._writer.close()

    def discard(self) -> None:
        """Drop what is held and write no footer: the file is not wanted, its disk may be full."""
        self._held, self.held_rows, self._held_bytes = [], 0, 0
        _holding.discard(self)
        self._writer.is_open = False  # else its finalizer writes a footer into a closed stream

    def flush(self) -> None:
        """Write what is held as a row group. Raises OSError; it is then still held."""
        if self.held_rows:
            events = pl.concat(self._held)
            if self._sort_by and not events[self._sort_by].is_sorted():
                events = events.sort(self._sort_by, maintain_order=True)
            self._writer.write_table(_arrow(events))
        self._held, self.held_rows, self._held_bytes = [], 0, 0
        _holding.discard(self)


def _arrow(events: pl.DataFrame) -> Any:
    """Return Arrow data as Polars holds it: views instead of copies, half the cost of writing."""
    return events.to_arrow(compat_level=pl.CompatLevel.newest())
