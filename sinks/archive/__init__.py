"""Events and counts in, hash-chained Parquet segments named by offset out, and back.

`SegmentWriter` writes one; `last_segment`, `list_segments` and `read_events` read; `verify` trusts
nothing. What follows from each is in the modules.
"""

from sinks.archive.listing import last_segment, list_segments
from sinks.archive.reading import SchemaUnknownError, read_events, scan_segments
from sinks.archive.segment import (
    ArchiveDamagedError,
    Counts,
    Segment,
    SegmentTakenError,
    hour_of,
)
from sinks.archive.verification import Fault, Problem, verify
from sinks.archive.writer import SegmentWriter

__all__ = [
    "ArchiveDamagedError",
    "Counts",
    "Fault",
    "Problem",
    "SchemaUnknownError",
    "Segment",
    "SegmentTakenError",
    "SegmentWriter",
    "hour_of",
    "last_segment",
    "list_segments",
    "read_events",
    "scan_segments",
    "verify",
]
