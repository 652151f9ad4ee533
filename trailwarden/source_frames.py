"""A source and what is wanted of it become lazy frames, one function for each kind of source.

Separate from `trailwarden.api`, which says what can be asked for: here is how each kind answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import polars as pl

from ingest.schema import DTYPES
from sinks.archive.reading import read_events
from trailwarden.deferred import deferred, once, streamed
from trailwarden.detection import detected
from trailwarden.finding_frame import FINDING_SCHEMA, scan_findings
from trailwarden.log_source import TemporaryFolder, scan_aside
from trailwarden.opened import Opened
from trailwarden.rule_frame import RULE_SCHEMA, rule_frame
from trailwarden.source_kind import EVENTS_FILE, FINDINGS_FILE, SourceKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date, datetime

    from detectors.ruleset import Ruleset
    from sinks.elasticsearch.connection import Credentials
    from sinks.elasticsearch.read import IndexReader
    from worker.settings import ScanSettings

PathName: TypeAlias = "str | PathLike[str]"
Auth: TypeAlias = "tuple[str, str] | str"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for. ``own_rules``: findings are to be made anew with ``rules``."""

    source: PathName
    settings: ScanSettings
    rules: Callable[[], Ruleset]
    own_rules: bool
    start: datetime | None
    end: datetime | None
    auth: Auth | None
    ca: PathName | None
    prefix: str


@dataclass(frozen=True, slots=True)
class _Frames:
    """Frames of a source; ``findings`` None: it holds none."""

    events: pl.LazyFrame
    findings: pl.LazyFrame | None
    findings_from: str


def open_source(wanted: Wanted, kind: SourceKind) -> Opened:
    """Return the frames of a source."""
    frames = _OPENERS[kind](wanted)
    events = _within(frames.events, wanted)
    findings, origin = frames.findings, frames.findings_from
    if findings is None or (wanted.own_rules and kind is not SourceKind.LOG):
        found = once(lambda: detected(events, wanted.rules()))
        findings = deferred(lambda: found().lazy(), FINDING_SCHEMA)
        origin = "made by running the rules over the events when first collected"
    return Opened(
        events=events,
        findings=_within(findings, wanted),
        rules=deferred(lambda: rule_frame(wanted.rules().pack.reporting).lazy(), RULE_SCHEMA),
        kind=kind,
        source=fspath(wanted.source),
        findings_from=origin,
    )


def _within(frame: pl.LazyFrame, wanted: Wanted) -> pl.LazyFrame:
    time = pl.col("@timestamp")
    if wanted.start is not None:
        frame = frame.filter(time >= wanted.start)
    return frame if wanted.end is None else frame.filter(time < wanted.end)


def events_in(folder: TemporaryFolder | Path) -> pl.LazyFrame:
    """Return the events of a scan's folder."""
    return _parquet(_path_of(folder) / EVENTS_FILE)


def findings_in(folder: TemporaryFolder | Path) -> pl.LazyFrame:
    """Return the findings of a scan's folder."""
    return scan_findings(_path_of(folder) / FINDINGS_FILE)


def _path_of(folder: TemporaryFolder | Path) -> Path:
    return folder.path if isinstance(folder, TemporaryFolder) else folder


def _parquet(path: Path) -> pl.LazyFrame:
    events = pl.scan_parquet(path, glob=False)
    held = events.collect_schema().names()
    missing = [name for name in DTYPES if name not in held]
    if missing:
        raise ValueError(
            f"{path}: holds no events of this version: column {missing[0]!r} is missing"
        )
    return events.select(list(DTYPES))


def _of_log(wanted: Wanted) -> _Frames:
    folder = once(partial(scan_aside, wanted.settings))
    return _Frames(
        deferred(lambda: events_in(folder()), DTYPES),
        deferred(lambda: findings_in(folder()), FINDING_SCHEMA),
        "made by scanning the log when first collected",
    )


def _of_scan_folder(wanted: Wanted) -> _Frames:
    folder = Path(wanted.source)
    held = (folder / FINDINGS_FILE).is_file()
    return _Frames(
        events_in(folder), findings_in(folder) if held else None, f"as in {FINDINGS_FILE}"
    )


def _of_events_file(wanted: Wanted) -> _Frames:
    return _Frames(_parquet(Path(wanted.source)), None, "")


def _of_archive(wanted: Wanted) -> _Frames:
    days = (_day(wanted.start), _day(wanted.end))
    events = deferred(lambda: read_events(Path(wanted.source), days=days), DTYPES)
    return _Frames(events, None, "")


def _day(time: datetime | None) -> date | None:
    return None if time is None else time.astimezone(UTC).date()


def _of_elasticsearch(wanted: Wanted) -> _Frames:
    from sinks.elasticsearch.connection import connect  # noqa: PLC0415 - loads the client
    from sinks.elasticsearch.read import IndexReader  # noqa: PLC0415 - goes with it

    ca_file = None if wanted.ca is None else Path(wanted.ca)
    url = fspath(wanted.source)
    reader = IndexReader(connect(url, _credentials(wanted.auth), ca_file=ca_file))
    findings = f"{wanted.prefix}-findings-*"
    return _Frames(
        _indexed(reader, wanted, f"{wanted.prefix}-events-*", DTYPES),
        _indexed(reader, wanted, findings, FINDING_SCHEMA),
        f"as in {findings}",
    )


def _credentials(auth: Auth | None) -> Credentials:
    from sinks.elasticsearch.connection import Credentials  # noqa: PLC0415 - loads the client

    if isinstance(auth, str):
        return Credentials(api_key=auth)
    return Credentials() if auth is None else Credentials(*auth)


def _indexed(
    reader: IndexReader,
    wanted: Wanted,
    index: str,
    schema: Mapping[str, pl.DataType],
) -> pl.LazyFrame:
    from sinks.elasticsearch.read import Selection  # noqa: PLC0415 - loads the client

    selection = Selection(index, schema, wanted.start, wanted.end)
    return streamed(lambda columns, rows: reader.pages(selection, columns, rows), schema)


_OPENERS: Final[Mapping[SourceKind, Callable[[Wanted], _Frames]]] = {
    SourceKind.LOG: _of_log,
    SourceKind.SCAN_FOLDER: _of_scan_folder,
    SourceKind.EVENTS_FILE: _of_events_file,
    SourceKind.ARCHIVE: _of_archive,
    SourceKind.ELASTICSEARCH: _of_elasticsearch,
}
