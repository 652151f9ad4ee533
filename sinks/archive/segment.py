"""A segment's facts as values: its place in the log, its counts, its place in the chain of hashes.

Separate from writing and reading because checkpoint, ledger, verify and readers speak of these.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT_VERSION: Final = 1
"""Of the folder's layout and the footer's members; the columns have their own (SCHEMA_VERSION)."""

SUFFIX: Final = ".parquet"
OFFSET_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the records of one cluster that were received in one hour.

    ``records`` are messages of ``raw`` and ``extra`` the items beyond the first of messages that
    held a list: records + extra = events + repeats + quarantined + canaries + unwanted. ``late``
    are events too: those behind the watermark. ``unwanted`` are sound and about something else.
    """

    records: int = 0
    events: int = 0
    repeats: int = 0
    late: int = 0
    quarantined: int = 0
    canaries: int = 0
    extra: int = 0
    unwanted: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def is_balanced(self) -> bool:
        """Whether every record and item became something."""
        return self.records + self.extra == self.became

    @property
    def became(self) -> int:
        """Count what records and items became."""
        return self.events + self.repeats + self.quarantined + self.canaries + self.unwanted


ClusterHour = tuple[str, datetime]
"""A cluster and the start of the hour (UTC) that its records were received in."""


def hour_of(time: datetime) -> datetime:
    """Return the start of an aware time's hour, in UTC."""
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the archive, as its footer tells.

    Offsets ``first`` up to, not including, ``next`` of a partition of ``topic`` are accounted for
    in it. ``sha256`` is that of the whole file; None where only the footer was read. Days are those
    of the events' own time (UTC); None where it has no rows.
    """

    path: Path
    topic: str
    partition: int
    first: int
    next: int
    sha256: str | None
    previous_sha256: str | None
    rows: int
    counts: Mapping[ClusterHour, Counts] = field(hash=False)
    first_day: date | None
    last_day: date | None
    schema_version: int


class SegmentTakenError(Exception):
    """Another worker published a segment of this name first: it wins, go on from its ``next``."""

    def __init__(self, existing: Segment) -> None:
        super().__init__(f"{existing.path}: exists, up to offset {existing.next}")
        self.existing = existing


class ArchiveDamagedError(Exception):
    """A file of the archive is not what was written; the message names the file and the fault."""


def partition_folder(archive: Path, topic: str, partition: int) -> Path:
    """Return the folder of a partition's segments."""
    return archive / topic / str(partition)


def segment_path(archive: Path, topic: str, partition: int, first: int) -> Path:
    """Return a segment's path; names sort as offsets do."""
    return partition_folder(archive, topic, partition) / f"{first:0{OFFSET_DIGITS}}{SUFFIX}"


def is_segment_name(name: str) -> bool:
    """Whether a file's name is that of a segment."""
    digits = name.removesuffix(SUFFIX)
    return (
        name.endswith(SUFFIX)
        and len(digits) == OFFSET_DIGITS
        and digits.isascii()
        and (digits.isdigit())
    )
