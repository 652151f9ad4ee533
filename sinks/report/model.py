"""What a report is told: counts of what was read, findings as documents, the rules, the refused.

Separate from the rendering so that whoever runs a scan fills plain values and needs to know
nothing of HTML. Findings stay the documents of ``findings.ndjson``: the report shows what was
written there and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from ingest.record import InputProblem, Refused


class Severity(StrEnum):
    """How bad a finding is (``trailwarden.severity``), the worst first: the order of the report."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFORMATIONAL = "informational"

    @property
    def rank(self) -> int:
        """0 for the worst, so that sorting upwards puts the worst first."""
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}

# The four families of detections, in the words of the report.
CATEGORIES: Final[Mapping[str, str]] = {
    "abnormal-login": "Abnormal logins",
    "unauthorized-install": "Unauthorized installs",
    "key-file-change": "Key-file changes",
    "cluster-control": "Cluster control",
}


@dataclass(frozen=True, slots=True)
class ReadSummary:
    """What was read.

    ``records`` counts raw records, ``events`` the distinct events they became, ``repeats`` events
    that had been seen before, ``late`` events behind the watermark (a part of ``events``),
    ``unwanted`` records that are sound and about something else.
    ``size_bytes`` is the size of the inputs as stored, ``clusters`` the events of each cluster;
    ``first_event`` and ``last_event`` are aware UTC times.
    """

    files: int
    records: int
    events: int
    repeats: int = 0
    late: int = 0
    unwanted: int = 0
    size_bytes: int = 0
    first_event: datetime | None = None
    last_event: datetime | None = None
    clusters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """One loaded rule: enough to say what was looked for."""

    id: str
    title: str
    category: str
    level: str
    techniques: tuple[str, ...] = ()
    catalogue: str = ""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The refused records: how many for each reason, and the first of them."""

    counts: Mapping[str, int] = field(default_factory=dict)
    sample: Sequence[Refused] = ()

    @property
    def total(self) -> int:
        """All refused records, those outside the sample included."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one report shows.

    ``generated_at`` is None for a report that must be the same bytes for the same input.
    ``detail_limit`` is the number of findings shown one by one; the rest is counted in every
    chart and named as being only in ``findings.ndjson``.
    """

    inputs: ReadSummary
    findings: Sequence[Mapping[str, object]]
    rules: Sequence[RuleInfo]
    version: str
    pack_hash: str
    quarantine: Quarantine = field(default_factory=Quarantine)
    problems: Sequence[InputProblem] = ()
    title: str = "Security report"
    generated_at: datetime | None = None
    detail_limit: int = 1000
