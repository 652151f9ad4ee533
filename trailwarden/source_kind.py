"""A source as people name it becomes its kind: log, events file, scan folder, archive or index.

Separate because it decides what `tw.open` reads, by looking at names only: nothing is opened.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from os import PathLike

EVENTS_FILE: Final = "events.parquet"
FINDINGS_FILE: Final = "findings.ndjson"

_OFFSET_DIGITS: Final = 20
"""Digits of a segment's first offset in its name (docs: archive)."""


class SourceKind(StrEnum):
    """What a source is."""

    LOG = "audit log"
    EVENTS_FILE = "events file"
    SCAN_FOLDER = "scan output"
    ARCHIVE = "archive"
    ELASTICSEARCH = "Elasticsearch"


def kind_of(source: str | PathLike[str]) -> SourceKind:
    """Return what ``source`` is.

    Raises
        FileNotFoundError: it is no address, and no such file or folder exists.
    """
    if isinstance(source, str) and urlsplit(source).scheme in {"http", "https"}:
        return SourceKind.ELASTICSEARCH
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    if path.is_dir():
        return _kind_of_folder(path)
    return SourceKind.EVENTS_FILE if path.suffix == ".parquet" else SourceKind.LOG


def _kind_of_folder(folder: Path) -> SourceKind:
    if (folder / EVENTS_FILE).is_file():
        return SourceKind.SCAN_FOLDER
    return SourceKind.ARCHIVE if any(map(_has_segments, _partitions(folder))) else SourceKind.LOG


def _partitions(folder: Path) -> list[Path]:
    """Return the folders ``<topic>/<partition>`` of an archive."""
    return [path for path in sorted(folder.glob("*/*")) if path.name.isdigit() and path.is_dir()]


def _has_segments(partition: Path) -> bool:
    return any(
        path.stem.isdigit() and len(path.stem) == _OFFSET_DIGITS
        for path in partition.glob("*.parquet")
    )
