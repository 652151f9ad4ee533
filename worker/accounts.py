"""What a scan counted: every record is an event, a repeat or in quarantine.

Separate because the terminal, the report and the exit code all read the same numbers.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

    from ingest.record import InputProblem, Refused

REFUSED_SHOWN: Final = 200
"""Refused records kept for the report; all of them are in quarantine.ndjson."""


def wanted_back(refused: list[Refused]) -> list[Refused]:
    """Return the refused records that belong into quarantine: something is wrong with them."""
    return [one for one in refused if one.reason.is_fault]


@dataclass(slots=True)
class Accounts:
    """Counts of one scan, added up batch by batch.

    ``records`` are events, repeats, refused and unwanted records; ``late`` events came behind the
    watermark and are a part of ``events``; ``salvaged`` were cut off or unreadable in part.
    """

    files: int = 0
    size_bytes: int = 0
    events: int = 0
    repeats: int = 0
    late: int = 0
    unwanted: int = 0
    with_issues: int = 0
    clusters: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    refused_sample: list[Refused] = field(default_factory=list)
    problems: list[InputProblem] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    excepted: Counter[str] = field(default_factory=Counter)
    """Findings that an exception held back, by its place."""
    silent: Counter[str] = field(default_factory=Counter)
    """Findings of models that are only tried, by model: they are in no file."""
    evicted: Counter[str] = field(default_factory=Counter)
    """What rules over time forgot to stay within their bound, by memory."""
    unjudged: list[str] = field(default_factory=list)
    """Clusters of which there was too little to say what is unusual there."""
    first: datetime | None = None
    last: datetime | None = None

    @property
    def records(self) -> int:
        """All records read."""
        return self.events + self.repeats + self.refused.total() + self.unwanted

    def add_refused(self, refused: list[Refused]) -> None:
        """Count refused records and keep the first of them; the unwanted are only counted."""
        wanted = wanted_back(refused)
        self.unwanted += len(refused) - len(wanted)
        refused = wanted
        self.refused.update(record.reason.value for record in refused)
        self.refused_sample += refused[: REFUSED_SHOWN - len(self.refused_sample)]

    def add_events(self, events: pl.DataFrame, repeats: int, watermark: datetime | None) -> None:
        """Count a batch of distinct events."""
        times = events["@timestamp"]
        self.events += events.height
        self.repeats += repeats
        self.clusters.update(dict(events["orchestrator.cluster.name"].value_counts().iter_rows()))
        issues = events["trailwarden.parse.issues"]
        self.with_issues += events.height - issues.null_count()
        if watermark is not None:
            self.late += int((times < watermark).sum())
        first, last = times.min(), times.max()
        if isinstance(first, datetime) and isinstance(last, datetime):
            self.first = first if self.first is None else min(self.first, first)
            self.last = last if self.last is None else max(self.last, last)
