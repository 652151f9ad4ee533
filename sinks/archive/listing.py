"""A folder becomes the list of its segments, from their footers alone.

Separate from reading rows because checkpoint, ledger and verify want only this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sinks.archive.footer import read_segment, read_whole
from sinks.archive.segment import ArchiveDamagedError, is_segment_name, partition_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date
    from pathlib import Path

    from sinks.archive.segment import Segment

Days = tuple["date | None", "date | None"]
"""First and last day wanted, both included; None: no limit."""


def last_segment(archive: Path, topic: str, partition: int) -> Segment | None:
    """Return a partition's last segment with its hash; None where it has none.

    Reads that one file whole: a successor is chained to it only if it is what was written.

    Raises
        ArchiveDamagedError: it was changed, or a newer file is no segment; never passed over.
    """
    paths = segment_paths(partition_folder(archive, topic, partition))
    if not paths:
        return None
    segment = read_whole(paths[-1])
    if (segment.topic, segment.partition, segment.first) != (topic, partition, int(paths[-1].stem)):
        raise ArchiveDamagedError(f"{paths[-1]}: is not the segment that its name says")
    return segment


def list_segments(
    archive: Path,
    topic: str,
    partition: int | None = None,
    days: Days = (None, None),
    from_offset: int = 0,
) -> list[Segment]:
    """Return segments by partition and offset, without their files' hashes.

    Parameters
        days: only segments that may hold events of these days.
        from_offset: only segments from the one on that holds this offset, or is the last below it;
            the others' footers are not read.

    Raises
        ArchiveDamagedError: a footer cannot be read.
    """
    wanted = partitions(archive, topic) if partition is None else [partition]
    found = [
        read_segment(path)
        for number in wanted
        for path in _from(segment_paths(partition_folder(archive, topic, number)), from_offset)
    ]
    return [segment for segment in found if _may_hold(segment, days)]


def _from(paths: list[Path], offset: int) -> list[Path]:
    below = sum(int(path.stem) <= offset for path in paths)
    return paths[max(below - 1, 0) :]


def topics(archive: Path) -> list[str]:
    """Return the topics that an archive has segments of."""
    return sorted(path.name for path in _folders(archive))


def partitions(archive: Path, topic: str) -> list[int]:
    """Return the partitions of a topic that have a folder."""
    return sorted(int(path.name) for path in _folders(archive / topic) if path.name.isdecimal())


def segment_paths(folder: Path) -> list[Path]:
    """Return the files of a partition that are named as segments are, by offset."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_segment_name(path.name))


def _folders(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else iter(())


def _may_hold(segment: Segment, days: Days) -> bool:
    first, last = days
    if first is None and last is None:
        return True
    if segment.first_day is None or segment.last_day is None:
        return False
    return (first is None or segment.last_day >= first) and (
        last is None or segment.first_day <= last
    )
