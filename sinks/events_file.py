"""Events become one Parquet file, streamed: memory does not grow with the log.

Separate from the service's archive, whose segments are named by offsets; the columns are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl
import pyarrow.parquet as pq

from ingest.schema import SCHEMA_VERSION, empty_events
from sinks.atomic_file import AtomicFile

if TYPE_CHECKING:
    from pathlib import Path

ROW_GROUP: Final = 20_000
"""Rows of a row group: larger ones cost less CPU (2.8 us an event at 20,000, 3.7 at 5,000; measured
2026-11-21 on the sample) and more memory (about 60 MB here)."""

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


class EventsFile:
    """Appends event frames; the file appears when closed, also when it has no rows."""

    __slots__ = ("_file", "_held", "_rows", "_writer")

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)
        self._held: list[pl.DataFrame] = []
        self._rows = 0
        schema = _arrow(empty_events()).schema
        self._writer = pq.ParquetWriter(
            self._file.stream,
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
        self._rows += events.height
        if self._rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(_arrow(pl.concat(self._held)))
        self._held, self._rows = [], 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.add_key_value_metadata({"trailwarden.schema_version": str(SCHEMA_VERSION)})
        self._writer.close()
        self._file.__exit__(kind)


def _arrow(events: pl.DataFrame) -> Any:
    """Return Arrow data as Polars holds it: views instead of copies, half the cost of writing."""
    return events.to_arrow(compat_level=pl.CompatLevel.newest())
