"""A log in order of time in, what there is to know of each of its clusters out.

Separate from the command because a notebook or a benchmark trains as well. The detector scores each
minute before it learns it: so its last part can be tried and learned in one pass, and what is said
of the tried part is what a service would have reported then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from detectors.anomaly.decisions import VERDICT_COLUMNS
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.report import SHOWN
from detectors.anomaly.spans import SPAN_TICKS
from models.profile.action_key import CLUSTER, TICK_US
from models.profile.model import PROFILE_COLUMNS
from models.profile.observed import digest
from models.profile.profile import ClusterProfile, Profile
from models.profile.rarity import AFTER_A_DAY

if TYPE_CHECKING:
    import polars as pl

    from detectors.finding import Finding

TRAINING_COLUMNS: Final = tuple(dict.fromkeys((*PROFILE_COLUMNS, *SHOWN, *VERDICT_COLUMNS)))
"""The event columns that training reads; what people decided takes part in it."""

DAY_US: Final = 86_400_000_000
CUT_ROWS: Final = 65_536
"""Events that are learned at once: a few megabytes of sightings."""


AT_ONCE: Final = Learning(hold_ticks=SPAN_TICKS)
"""Nobody waits for findings."""

FOR_DAYS: Final = replace(AT_ONCE, known=AFTER_A_DAY)
"""As a service judges, which has seen days: an identity is known after one."""


@dataclass(frozen=True, slots=True)
class Tried:
    """How the detector did on the last part of the time, each minute before it was learned."""

    events: int
    findings: int
    findings_a_day: float
    """Of all clusters together."""
    highest_score: float

    def metrics(self) -> dict[str, float]:
        """Return the numbers as a manifest holds them."""
        return {
            "held_out_events": float(self.events),
            "held_out_findings": float(self.findings),
            "held_out_findings_a_day": round(self.findings_a_day, 3),
            "held_out_highest_score": round(self.highest_score, 3),
        }


@dataclass(slots=True)
class Training:
    """Detectors that learn, one for each cluster."""

    tried_from_us: int
    """Event time from which on findings are counted."""
    learning: Learning = AT_ONCE
    detectors: dict[str, Learned] = field(default_factory=dict)
    events: int = 0
    _tried_events: int = 0
    _findings: list[Finding] = field(default_factory=list)

    def add(self, events: pl.DataFrame) -> None:
        """Learn events, all of them later than those before; those without a time are left out.

        Parameters
            events: the columns of EVENT_SCHEMA that a detector reads.
        """
        timed = events.drop_nulls("@timestamp").sort("@timestamp", "event.id")
        for start in range(0, timed.height, CUT_ROWS):
            self._add(timed[start : start + CUT_ROWS])

    def _add(self, events: pl.DataFrame) -> None:
        times = events["@timestamp"].to_physical()
        self.events += events.height
        self._tried_events += int((times >= self.tried_from_us).sum())
        named = events[CLUSTER].fill_null("")
        for name in named.unique():
            detector = self.detectors.setdefault(name, Learned(self.learning))
            detector.add(events.filter(named == name))
            self._findings += detector.release(int(times[-1])).findings

    def profile(self, end_us: int) -> Profile:
        """Score and learn what waits, and return what is known; the training ends by this.

        Parameters
            end_us: end of the time that was learned, microseconds of Unix time.
        """
        passed = -(-end_us // TICK_US)
        for detector in self.detectors.values():
            self._findings += detector.release(None).findings
            detector.settle()
        known = {
            digest(name): profile_of(detector, passed)
            for name, detector in sorted(self.detectors.items())
            if detector.calibrations
        }
        return Profile(known)

    def tried(self, end_us: int) -> Tried:
        """Return how the held-out time went."""
        found = [one for one in self._findings if one.order[0] >= self.tried_from_us]
        days = max(end_us - self.tried_from_us, 1) / DAY_US
        scores = [float(one.document["trailwarden.anomaly.score"]) for one in found]
        return Tried(self._tried_events, len(found), len(found) / days, max(scores, default=0.0))


def profile_of(detector: Learned, passed: int) -> ClusterProfile:
    """Return what a detector knows that was given events of one cluster only.

    Parameters
        passed: the first minute that was neither scored nor learned.
    """
    ((number, name),) = detector.clusters.items()
    drift = detector.drift
    return ClusterProfile(
        name,
        passed,
        detector.calibrations[number].sorted(),
        detector.counts.rows,
        drift.today,
        drift.past,
        drift.shown,
        drift.days.get(number, 0),
    )
