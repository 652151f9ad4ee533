"""The learned detectors of a partition, as one state: the one that tells, and a silent one.

Separate from the detector because whoever remembers (detectors/remembered.py, a replay) feeds both
alike, and because a finding rests on events that its detector knows only in part: they wait here in
full, the first of each act, where anybody is to get them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
import polars as pl

from detectors.anomaly import state
from detectors.anomaly.blame import blamed
from detectors.anomaly.learned import Learned, Learning
from detectors.anomaly.state import SavedLearned  # noqa: TC001 - msgspec reads it
from detectors.recalling import held_from, held_to
from ingest.schema import DTYPES

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from detectors.correlation.released import Released
    from detectors.exceptions import Exemption
    from detectors.finding import Finding
    from detectors.site import Site
    from models.profile.profile import Profile

_EVIDENCE = "trailwarden.evidence.event_ids"


@dataclass(frozen=True, slots=True)
class Model:
    """What a detector knows before its first event: nothing, or what a model says."""

    name: str = ""
    """``NAME/VERSION``, as it is counted; empty: no model."""
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class LearnedSettings:
    """Which learned detectors run, and what they begin with."""

    learning: Learning = field(default_factory=Learning)
    champion: Model = field(default_factory=Model)
    challenger: Model | None = None
    """Runs beside the champion, and its findings are counted only."""
    keeps_events: bool = False
    """Whether somebody gets the events that findings rest on."""


class SavedLearners(msgspec.Struct, array_like=True):
    """All of it, as it stands in a snapshot."""

    learned: SavedLearned
    challenger: tuple[str, SavedLearned] | None
    events: bytes
    model: str = ""
    """What the one that tells began with."""


class Learners:
    """The learned detectors of a partition."""

    def __init__(
        self, settings: LearnedSettings, site: Site, exceptions: Sequence[Exemption] = ()
    ) -> None:
        self.settings = settings
        self.learned = Learned(settings.learning, settings.champion.profile, site, exceptions)
        other = settings.challenger
        self.challenger = (
            Learned(settings.learning, other.profile, site, exceptions) if other else None
        )
        self.events = pl.DataFrame(schema=DTYPES)
        """In full, those that a finding may show; none where nobody gets them."""

    @property
    def each(self) -> Iterator[Learned]:
        """Yield the detectors that there are."""
        yield self.learned
        if self.challenger:
            yield self.challenger

    @property
    def waiting(self) -> int:
        """How many sightings wait for their minute to be over."""
        return self.learned.pending.height

    @property
    def evicted(self) -> Counter[str]:
        """What was dropped for the sake of the bounds so far, by what it was."""
        counts = self.learned.evicted.copy()
        counts["learned.rows"] += self.learned.counts.evicted
        counts["learned.runs"] += self.learned.runs.evicted
        counts.update(self.learned.verdicts.dropped)
        return +counts

    @property
    def rows(self) -> int:
        """How many counts of behaviour are remembered."""
        return len(self.learned.counts)

    def thresholds(self) -> dict[str, float]:
        """Return by cluster the score from which on a minute is reported, where there is one."""
        known = self.learned.calibrations
        found = {
            name: known[number].threshold
            for number, name in self.learned.clusters.items()
            if number in known
        }
        return {name: limit for name, limit in found.items() if limit is not None}

    def unjudged(self) -> list[str]:
        """Return the clusters of which too little was seen to say what is unusual, sorted."""
        return sorted(set(self.learned.clusters.values()) - self.thresholds().keys())

    def drift(self) -> dict[str, float]:
        """Return by cluster how far its last whole day was from those before: the worst feature."""
        shown = self.learned.drift.shown
        last = shown.filter(pl.col("day") == pl.col("day").max().over("cluster"))
        worst = dict(last.group_by("cluster").agg(pl.col("psi").max()).iter_rows())
        return {
            name: worst[number] for number, name in self.learned.clusters.items() if number in worst
        }

    def add(
        self, events: pl.DataFrame, late: pl.Series | None, flagged: pl.Series | None = None
    ) -> None:
        """Take a batch: see `Learned.add`."""
        for one in self.each:
            shown = one.add(events, late, flagged)
            if one is self.learned and self.settings.keeps_events and shown.len():
                kept = events.filter(events["event.id"].is_in(shown.implode()))
                self.events = pl.concat([self.events, kept.select(list(DTYPES))])

    def release(
        self, watermark: int | Mapping[str, int] | None, found: Iterable[Finding] = ()
    ) -> Released:
        """Score and learn what lies before the watermark: see `Learned.release`.

        Parameters
            found: what rules that remember found with the same watermark.
        """
        minutes = blamed(found)
        for one in self.each:
            one.blame.minutes |= minutes
        out = self.learned.release(watermark)
        if self.challenger and self.settings.challenger:
            silent = self.challenger.release(watermark).findings
            out.silent.update({self.settings.challenger.name: len(silent)} if silent else {})
        if self.settings.keeps_events:
            self._show(out)
        return out

    def _show(self, out: Released) -> None:
        """Hand over the events that findings rest on; forget those of minutes that are over."""
        ids = sorted({one for finding in out.findings for one in finding.document[_EVIDENCE]})
        if ids:
            shown = pl.Series(ids, dtype=pl.String).implode()
            out.evidence.append(self.events.filter(self.events["event.id"].is_in(shown)))
        pending = self.learned.pending["event.id"]
        if pending.len() < self.events.height:
            self.events = self.events.filter(self.events["event.id"].is_in(pending.implode()))


def save(learners: Learners) -> SavedLearners:
    """Return all of it as a value that a snapshot can hold."""
    other = learners.settings.challenger
    return SavedLearners(
        state.save(learners.learned),
        (other.name, state.save(learners.challenger)) if other and learners.challenger else None,
        held_to(learners.events) if learners.events.height else b"",
        learners.settings.champion.name,
    )


def restore(saved: SavedLearners, learners: Learners) -> None:
    """Put what a snapshot says into a new state.

    What was promoted since takes effect: a challenger that became champion goes on as what it was,
    another model begins anew. A challenger is taken up only if it is still the same.
    """
    champion = learners.settings.champion
    held = {saved.model: saved.learned}
    if saved.challenger:
        held.setdefault(*saved.challenger)
    state.restore(held.get(champion.name, saved.learned), learners.learned)
    if champion.profile is not None and champion.name not in held:
        state.begin_anew(learners.learned)
    other = learners.settings.challenger
    if saved.challenger and other and learners.challenger and saved.challenger[0] == other.name:
        state.restore(saved.challenger[1], learners.challenger)
    if saved.events and learners.settings.keeps_events:
        learners.events = held_from(saved.events).select(list(DTYPES))
