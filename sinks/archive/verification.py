"""An archive becomes the list of what is wrong with it; an empty list is evidence as it was.

Separate because it trusts nothing that was written: every file is hashed again, its seal and its
name are checked, and each segment must carry on where the one before ended and hold its hash.

What a chain of hashes without signatures cannot find: that the newest segments of a partition, or a
whole partition, were removed (compare with the offsets that Kafka has committed: `trailwarden
ledger`), and that everything from one segment on was written anew with care. Signatures will.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sinks.archive.footer import hashes, read_segment
from sinks.archive.listing import partitions, segment_paths, topics
from sinks.archive.segment import ArchiveDamagedError, is_segment_name, partition_folder
from sinks.durable_file import TEMPORARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sinks.archive.segment import Segment


class Fault(StrEnum):
    """What can be wrong with an archive."""

    DAMAGED = "damaged"
    EDITED = "edited"
    MISPLACED = "misplaced"
    STRAY = "stray"
    GAP = "gap"
    OVERLAP = "overlap"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault, where it is, and what was found there."""

    path: Path
    fault: Fault
    detail: str

    def __str__(self) -> str:
        return f"{self.path}: {self.fault.value}: {self.detail}"


def verify(archive: Path) -> list[Problem]:
    """Check every file of an archive; reads all of it once, memory bounded.

    Raises
        OSError: the folder or a file cannot be read.
    """
    problems = list(_strays(archive))
    for topic in topics(archive):
        for partition in partitions(archive, topic):
            problems += _partition_problems(archive, topic, partition)
    return problems


def _strays(archive: Path) -> Iterator[Problem]:
    """Find what no worker puts into an archive: a segment by another name would not be read."""
    for path in sorted(archive.rglob("*")):
        depth = len(path.relative_to(archive).parts)
        if path.is_dir() and (depth == 1 or (depth == 2 and path.name.isdecimal())):  # noqa: PLR2004 - topic/partition
            continue
        if depth == 3 and is_segment_name(path.name):  # noqa: PLR2004 - topic/partition/segment
            continue
        if not path.name.endswith(TEMPORARY):
            yield Problem(path, Fault.STRAY, "is no segment: nothing reads it")


def _partition_problems(archive: Path, topic: str, partition: int) -> Iterator[Problem]:
    before: Segment | None = None
    is_known = True
    for path in segment_paths(partition_folder(archive, topic, partition)):
        try:
            found = hashes(path)
            segment = read_segment(path, found.sha256)
        except ArchiveDamagedError as error:
            yield Problem(path, Fault.DAMAGED, str(error).removeprefix(f"{path}: "))
            is_known = False
            continue
        if not found.is_sealed:
            yield Problem(path, Fault.EDITED, "its bytes are not those that were sealed")
        named = (topic, partition, int(path.stem))
        if (segment.topic, segment.partition, segment.first) != named:
            yield Problem(path, Fault.MISPLACED, f"was written as {_name(segment)}")
        if is_known:
            yield from _link_problems(before, segment)
        before, is_known = segment, True


def _link_problems(before: Segment | None, segment: Segment) -> Iterator[Problem]:
    path = segment.path
    if before is None:
        if segment.previous_sha256 is not None:
            yield Problem(path, Fault.CHAIN, "the segment before it is missing")
        return
    if segment.first > before.next:
        missing = f"offsets {before.next} to {segment.first - 1} are in no segment"
        yield Problem(path, Fault.GAP, missing)
    if segment.first < before.next:
        twice = f"offsets {segment.first} to {before.next - 1} are in two segments"
        yield Problem(path, Fault.OVERLAP, twice)
    if segment.previous_sha256 != before.sha256:
        yield Problem(path, Fault.CHAIN, f"{before.path.name} is not the file it was chained to")


def _name(segment: Segment) -> str:
    return f"topic {segment.topic}, partition {segment.partition}, offset {segment.first}"
