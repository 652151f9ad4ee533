"""Events become one Parquet file, streamed: memory does not grow with the log.

Separate from the service's archive, whose segments are named by offsets; the table is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from sinks.atomic_file import AtomicFile
from sinks.event_table import EventTable

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl


class EventsFile:
    """Appends event frames; the file appears when closed, also when it has no rows."""

    __slots__ = ("_file", "_table")

    def __init__(self, path: Path) -> None:
        self._file = AtomicFile(path)
        self._table = EventTable(self._file.stream)

    def write(self, events: pl.DataFrame) -> None:
        """Append events (EVENT_SCHEMA)."""
        self._table.write(events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._table.close({})
        else:
            self._table.discard()
        self._file.__exit__(kind)
