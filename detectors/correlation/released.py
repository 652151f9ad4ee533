"""What a fold made certain: findings of episodes that began, and episodes that ended.

Separate because whoever writes findings needs this much of the fold, and nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl

    from detectors.correlation.episode import Closed
    from detectors.finding import Finding


@dataclass(slots=True)
class Released:
    """What became certain: findings of episodes that began, and episodes that ended."""

    findings: list[Finding] = field(default_factory=list)
    repeated: list[Finding] = field(default_factory=list)
    """Findings of acts that are told by another of this release: nobody is told twice."""
    received: dict[str, datetime] = field(default_factory=dict)
    """By finding id: when the event that completed it was received."""
    undated: set[str] = field(default_factory=set)
    """Ids of findings whose event has no time of its own that is believed."""
    closed: list[Closed] = field(default_factory=list)
    excepted: Counter[str] = field(default_factory=Counter)
    """Findings that an exception held back, by its place."""
    evidence: list[pl.DataFrame] = field(default_factory=list)
    """Events that findings rest on and that nobody knew before to be evidence."""
    silent: Counter[str] = field(default_factory=Counter)
    """Findings of models that are only tried, by model: they are counted and told to nobody."""

    def extend(self, other: Released) -> None:
        """Add what became certain elsewhere."""
        self.findings += other.findings
        self.repeated += other.repeated
        self.received |= other.received
        self.undated |= other.undated
        self.closed += other.closed
        self.excepted.update(other.excepted)
        self.evidence += other.evidence
        self.silent.update(other.silent)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.findings or self.closed or self.excepted)
