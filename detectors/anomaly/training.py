"""A log in order of time in, what there is to know of each of its clusters out.

Separate from the command because a notebook or a benchmark trains as well. The detector scores each
minute before it learns it: so its last part can be tried and learned in one pass, and what is said
of the tried part is what a service would have reported then. As there, rules run beside it, and
what they find is not learned: else whoever was caught in the log would be ordinary in the model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.anomaly.decisions import VERDICT_COLUMNS
from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.learners import LearnedSettings, Learners
from detectors.anomaly.report import SHOWN
from detectors.anomaly.spans import SPAN_TICKS
from detectors.engine import hits_within
from detectors.ruleset import Ruleset, look, ruleset
from detectors.sigma.pack import Pack
from models.profile.action_key import CLUSTER, TICK_US
from models.profile.model import PROFILE_COLUMNS
from models.profile.observed import digest
from models.profile.profile import ClusterProfile, Profile
from models.profile.rarity import AFTER_A_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detectors.finding import Finding
    from detectors.remembered import Remembered

TRAINING_COLUMNS: Final = tuple(dict.fromkeys((*PROFILE_COLUMNS, *SHOWN, *VERDICT_COLUMNS)))
"""The event columns that training reads, without rules; what people decided takes part in it."""

_TIME: Final = "@timestamp"
_ID: Final = "event.id"

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


@dataclass(frozen=True, slots=True)
class _Cluster:
    state: Remembered
    detector: Learned
    """The one of the state that learns."""


class Training:
    """Detectors that learn, one for each cluster, with the memory of the rules beside them."""

    def __init__(
        self, tried_from_us: int, learning: Learning = AT_ONCE, rules: Ruleset | None = None
    ) -> None:
        """Begin with nothing known.

        Parameters
            tried_from_us: event time from which on findings are counted.
            rules: what they find at medium or above is not learned; None: nothing is found.
        """
        self.tried_from_us = tried_from_us
        self.events = 0
        self._rules = rules or ruleset(Pack())
        self._learned = LearnedSettings(learning)
        self._clusters: dict[str, _Cluster] = {}
        self._tried_events = 0
        self._findings: list[Finding] = []

    def add(self, events: pl.DataFrame) -> None:
        """Learn events, all of them later than those before; those without a time are left out.

        Parameters
            events: the columns of EVENT_SCHEMA that the detector and the rules read.
        """
        timed = events.drop_nulls(_TIME).sort(_TIME, _ID)
        for start in range(0, timed.height, CUT_ROWS):
            self._add(timed[start : start + CUT_ROWS])

    def _add(self, events: pl.DataFrame) -> None:
        times = events[_TIME].to_physical()
        self.events += events.height
        self._tried_events += int((times >= self.tried_from_us).sum())
        by_cluster = events.with_columns(pl.col(CLUSTER).fill_null("")).sort(CLUSTER, _TIME, _ID)
        looked = look(by_cluster, self._rules)
        for name, rows in _parts(by_cluster[CLUSTER]):
            cluster = self._cluster(name)
            part = by_cluster[rows.start : rows.stop]
            cluster.state.add(part, hits_within(looked.hits, rows), None, looked.flagged)
            self._release(cluster, int(times[-1]))

    def _cluster(self, name: str) -> _Cluster:
        if name not in self._clusters:
            learners = Learners(self._learned, self._rules.site, self._rules.exceptions)
            state = self._rules.remembered(learns=False)
            state.learners = learners
            self._clusters[name] = _Cluster(state, learners.learned)
        return self._clusters[name]

    def _release(self, cluster: _Cluster, watermark: int | None) -> None:
        for finding in cluster.state.release(watermark).findings:
            if finding.document["rule.id"] == UNUSUAL_IDENTITY.id:
                self._findings.append(finding)

    def profile(self, end_us: int) -> Profile:
        """Score and learn what waits, and return what is known; the training ends by this.

        Parameters
            end_us: end of the time that was learned, microseconds of Unix time.
        """
        passed = -(-end_us // TICK_US)
        known: dict[int, ClusterProfile] = {}
        for name, cluster in sorted(self._clusters.items()):
            self._release(cluster, None)
            cluster.detector.settle()
            if cluster.detector.calibrations:
                known[digest(name)] = profile_of(cluster.detector, passed)
        return Profile(known)

    def tried(self, end_us: int) -> Tried:
        """Return how the held-out time went."""
        found = [one for one in self._findings if one.order[0] >= self.tried_from_us]
        days = max(end_us - self.tried_from_us, 1) / DAY_US
        scores = [float(one.document["trailwarden.anomaly.score"]) for one in found]
        return Tried(self._tried_events, len(found), len(found) / days, max(scores, default=0.0))


def _parts(clusters: pl.Series) -> Iterator[tuple[str, range]]:
    """Yield each cluster with the rows that are its own, of which there is no other between."""
    start = 0
    for run in clusters.rle().to_list():
        yield run["value"], range(start, start + run["len"])
        start += run["len"]


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
