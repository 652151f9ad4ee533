"""What the tests of the archive share: small event frames, and a partition of some segments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.schema import DTYPES
from sinks.archive import Counts, Segment, SegmentWriter

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

Frame = Callable[..., pl.DataFrame]
Partition = Callable[..., list[Segment]]


def frame_of(
    first: int, count: int, clusters: tuple[str, ...] = ("blue",), at: datetime = NOON
) -> pl.DataFrame:
    """Return events at offsets from ``first`` on, one a second, of the clusters in turn."""
    rows: dict[str, list[Any]] = {
        "@timestamp": [at + timedelta(seconds=n) for n in range(count)],
        "event.id": [f"{first + n:032x}" for n in range(count)],
        "event.action": ["create"] * count,
        "trailwarden.parse.issues": [["a", "b"] if n % 2 else None for n in range(count)],
        "orchestrator.cluster.name": [clusters[n % len(clusters)] for n in range(count)],
        "http.response.status_code": [201] * count,
        "log.offset": [first + n for n in range(count)],
    }
    return pl.DataFrame(
        {
            name: pl.Series(name, rows.get(name, [None] * count), dtype)
            for name, dtype in DTYPES.items()
        }
    )


@pytest.fixture
def frame() -> Frame:
    return frame_of


@pytest.fixture
def partition() -> Partition:
    """Write some segments of one partition, each a few events, chained."""

    def write(
        archive: Path, topic: str = "raw", number: int = 0, segments: int = 3, rows: int = 5
    ) -> list[Segment]:
        written: list[Segment] = []
        for index in range(segments):
            previous = written[-1].sha256 if written else None
            writer = SegmentWriter(archive, topic, number, index * rows, previous)
            writer.write(frame_of(index * rows, rows))
            writer.count("blue", NOON, Counts(records=rows, events=rows))
            written.append(writer.close((index + 1) * rows))
        return written

    return write
