"""Segments become one lazy event frame under the columns of today.

Separate because this is the one place where segments of older schema versions are brought up to
date: `UP_CONVERSIONS` lists a tested step per version, and a reader never guesses.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import polars as pl

from ingest.schema import DTYPES, SCHEMA_VERSION, empty_events
from sinks.archive.listing import Days, list_segments, topics
from sinks.archive.writer import EVENT_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from sinks.archive.segment import Segment


def _with_repositories(events: pl.LazyFrame) -> pl.LazyFrame:
    """Version 1 had no repositories; they are not worked out again from images of long ago."""
    return events.with_columns(pl.lit(None, pl.String).alias("trailwarden.pod_spec.repositories"))


def _with_pods(events: pl.LazyFrame) -> pl.LazyFrame:
    """Version 2 had neither pods' states nor rules as texts, nor the other columns of _SINCE_3."""
    return events.with_columns(pl.lit(None, dtype).alias(name) for name, dtype in _SINCE_3.items())


_SINCE_3: Final[Mapping[str, pl.DataType]] = {
    "trailwarden.pod.uid": pl.String(),
    "trailwarden.pod.addresses": pl.List(pl.String()),
    "trailwarden.pod.host_address": pl.String(),
    "trailwarden.pod.node": pl.String(),
    "trailwarden.pod.phase": pl.String(),
    "trailwarden.pod.image_digests": pl.List(pl.String()),
    "trailwarden.pod.is_mirror": pl.Boolean(),
    "trailwarden.rbac.rules": pl.List(pl.String()),
    "trailwarden.pod_spec.cpu_request": pl.Int64(),
    "trailwarden.pod_spec.gpu_request": pl.Int64(),
    "trailwarden.object.owner_uid": pl.String(),
    "trailwarden.verdict.value": pl.String(),
    "trailwarden.verdict.finding": pl.String(),
    "trailwarden.verdict.rule": pl.String(),
    "trailwarden.verdict.author": pl.String(),
    "trailwarden.verdict.events": pl.List(pl.String()),
}

UP_CONVERSIONS: Final[Mapping[int, Callable[[pl.LazyFrame], pl.LazyFrame]]] = {
    1: _with_repositories,
    2: _with_pods,
}
"""Schema version -> the step that makes its rows those of the version after it."""


class SchemaUnknownError(Exception):
    """A segment is of a schema version that this release cannot read; the message names it."""


def read_events(
    archive: Path,
    topic: str | None = None,
    partition: int | None = None,
    days: Days = (None, None),
) -> pl.LazyFrame:
    """Return the archived events (EVENT_SCHEMA) of all topics or one, in segment order.

    Parameters
        days: only events of these days; see `EVENT_DAY`. Segments outside are not opened.

    Raises
        ArchiveDamagedError, SchemaUnknownError: before any row is read.
    """
    wanted = topics(archive) if topic is None else [topic]
    segments = [s for name in wanted for s in list_segments(archive, name, partition, days)]
    events = scan_segments(segments)
    first, last = days
    if first is not None:
        events = events.filter(first <= EVENT_DAY)
    if last is not None:
        events = events.filter(last >= EVENT_DAY)
    return events


def scan_segments(segments: Iterable[Segment]) -> pl.LazyFrame:
    """Return the rows of segments, in the order given, under EVENT_SCHEMA.

    Raises
        SchemaUnknownError: a segment is newer than this release, or older than any listed step.
    """
    frames = []
    for version, group in groupby(segments, key=attrgetter("schema_version")):
        steps = _steps(version)
        frame = pl.scan_parquet(
            [segment.path for segment in group], glob=False, hive_partitioning=False
        )
        for step in steps:
            frame = step(frame)
        frames.append(frame.select(pl.col(name).cast(dtype) for name, dtype in DTYPES.items()))
    return pl.concat(frames) if frames else empty_events().lazy()


def _steps(version: int) -> list[Callable[[pl.LazyFrame], pl.LazyFrame]]:
    if version > SCHEMA_VERSION:
        raise SchemaUnknownError(
            f"schema version {version} is newer than this release's {SCHEMA_VERSION}: update"
        )
    missing = [v for v in range(version, SCHEMA_VERSION) if v not in UP_CONVERSIONS]
    if missing:
        raise SchemaUnknownError(f"no step is listed that brings schema version {missing[0]} on")
    return [UP_CONVERSIONS[v] for v in range(version, SCHEMA_VERSION)]
