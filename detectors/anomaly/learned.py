"""Events in, findings of identities that behave as never before out; what is normal is learned.

Separate from the profiles because order, memory and what may be learned are decided here. Sightings
wait until the watermark of their cluster has passed their minute. A minute is scored against what
was learned from earlier spans only, and a span is learned when the next one begins, without what
was flagged; so the result depends on the events alone, on no batch, restart or clock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.report import MOST_EVIDENCE, SHOWN, Strange, finding_of
from detectors.anomaly.runs import Run, Runs
from detectors.correlation.documents import Documents
from detectors.correlation.released import Released
from models.profile import rarity
from models.profile.action_key import (
    CLUSTER,
    CODE,
    TICK_US,
    TOLD_APART,
    sightings,
    sightings_schema,
)
from models.profile.budget import DAY_TICKS, FINDINGS_A_DAY, Calibration
from models.profile.counts import Counts
from models.profile.drift import Drift
from models.profile.observed import OBSERVED, Feature, coded, digest, observed
from models.profile.words import MOST_REASONS, Reason, reason, texts_of, told_from

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

SPAN_TICKS: Final = 5
"""Minutes that are learned together; a day is a whole number of spans."""

_MINUTE: Final = ("cluster", "tick", "who")
WAITING: Final = pl.Schema({name: OBSERVED[name] for name in OBSERVED.names() if name != "row"})
_VALUES: Final = ("act", "network", "agent", "place")
"""Columns of a sighting that something about it is strange by; else all of the minute is shown."""


@dataclass(frozen=True, slots=True)
class Learning:
    """What a learned detector is told by whoever runs it."""

    findings_a_day: float = FINDINGS_A_DAY
    known: rarity.Known = rarity.AFTER_200_EVENTS
    """When an identity's own counts decide; a service asks for an event day too, a scan not."""
    hold_ticks: int = 1
    """Minutes that are scored together: more are cheaper, where nobody waits for them."""
    limit_rows: int = 1_000_000
    limit_waiting: int = 500_000
    limit_runs: int = 10_000


class Learned:
    """The state of the detector, for the clusters that it is given events of."""

    def __init__(self, learning: Learning = Learning()) -> None:
        self.learning = learning
        self.counts = Counts(learning.limit_rows)
        self.clusters: dict[int, str] = {}
        self.passed: dict[int, int] = {}
        """By cluster: the first minute that was not scored."""
        self.calibrations: dict[int, Calibration] = {}
        self.pending = pl.DataFrame(schema=sightings_schema(SHOWN))
        self.waiting = pl.DataFrame(schema=WAITING)
        """Observations of spans that were not learned yet."""
        self.runs = Runs()
        self.drift = Drift()
        self.evicted: Counter[str] = Counter()

    def add(
        self,
        events: pl.DataFrame,
        late: pl.Series | None = None,
        flagged: pl.Series | None = None,
    ) -> None:
        """Take the events of a batch; late ones enter nothing.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            late: whether each event lies behind the watermark; None: none does.
            flagged: event.id of what rules found: it is scored, never learned.
        """
        if events.is_empty():
            return
        seen = sightings(events, SHOWN, late, flagged)
        if seen.is_empty():
            return
        self._name(seen)
        seen = self._in_time(seen)
        room = max(self.learning.limit_waiting - self.pending.height, 0)
        if seen.height > room:
            self.evicted["sightings"] += seen.height - room
            seen = seen.sort("tick", "order", "event.id").head(room)
        self.pending = pl.concat([self.pending, seen])

    def _in_time(self, seen: pl.DataFrame) -> pl.DataFrame:
        """Return sightings of minutes that were not scored yet; a worker gives no others."""
        passed = {name: self.passed.get(cluster, 0) for cluster, name in self.clusters.items()}
        if not any(passed.values()):
            return seen
        scored = pl.col(CLUSTER).fill_null("").replace_strict(passed, return_dtype=pl.Int64)
        timely = seen.filter(pl.col("tick") >= scored)
        self.evicted["late"] += seen.height - timely.height
        return timely

    def _name(self, seen: pl.DataFrame) -> None:
        for name in seen[CLUSTER].fill_null("").unique():
            self.clusters.setdefault(digest(name), name)

    def release(self, watermark: int | Mapping[str, int] | None) -> Released:
        """Score and learn all that lies in minutes before the watermark; None: all there is.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.
        """
        out = Released()
        limits = None if watermark is None else self._limits(watermark)
        if limits is not None and all(self.passed.get(c, 0) >= t for c, t in limits.items()):
            return out
        due = self._due(limits)
        if due.height:
            self._score(due, out)
        if limits is not None:
            self.passed.update(limits)
        out.closed += self.runs.close(None if limits is None else self.passed)
        out.closed += self.runs.evict(self.learning.limit_runs)
        return out

    def _limits(self, watermark: int | Mapping[str, int]) -> dict[int, int]:
        """Return, by cluster, the first minute that is not complete; none goes back."""
        if isinstance(watermark, int):
            given = dict.fromkeys(self.clusters, watermark)
        else:
            given = {digest(name): time for name, time in watermark.items()}
        held = self.learning.hold_ticks
        return {
            cluster: max(self.passed.get(cluster, 0), time // TICK_US // held * held)
            for cluster, time in given.items()
        }

    def _due(self, limits: Mapping[int, int] | None) -> pl.DataFrame:
        if limits is None:
            due, self.pending = self.pending, self.pending.clear()
            return due
        if self.pending.is_empty():
            return self.pending
        names = {name: limits.get(cluster, 0) for cluster, name in self.clusters.items()}
        limit = self.pending[CLUSTER].fill_null("").replace_strict(names, return_dtype=pl.Int64)
        ripe = self.pending["tick"] < limit
        due = self.pending.filter(ripe)
        if due.height:
            self.pending = self.pending.filter(~ripe)
        return due

    def _score(self, due: pl.DataFrame, out: Released) -> None:
        said = coded(due)
        seen = observed(said)
        span = (seen["tick"] // SPAN_TICKS).alias("span")
        for number in span.unique().sort():
            self._score_span(_Span(number, seen.filter(span == number), said, due), out)

    def _score_span(self, span: _Span, out: Released) -> None:
        """Score the minutes of one span against what was learned from the spans before it."""
        clusters = span.seen["cluster"].unique().sort()
        self._learn_before(clusters, span.number)
        for cluster in clusters:
            self._calibration(cluster, span)
        rare = rarity.bits(span.seen, self.counts, span.number * SPAN_TICKS, self.learning.known)
        contributed = rarity.contributions(rare)
        scored = rarity.scores(contributed)
        flagged = self._flagged(scored)
        self._note(span.seen, scored, flagged)
        if flagged.height:
            self._tell(span, flagged, contributed, rare, out)
        self._keep(span.seen, flagged)

    def _calibration(self, cluster: int, span: _Span) -> None:
        first_tick = span.number * SPAN_TICKS
        one = self.calibrations.get(cluster)
        if one is None:
            one = self.calibrations[cluster] = Calibration(first_tick, first_tick // DAY_TICKS)
        one.advance(first_tick, self.learning.findings_a_day)

    def _flagged(self, scored: pl.DataFrame) -> pl.DataFrame:
        """Return the scores that are over the threshold of their cluster, in order."""
        known = {c: one.threshold for c, one in self.calibrations.items() if one.threshold}
        if not known or scored.is_empty():
            return scored.clear()
        limit = pl.col("cluster").replace_strict(known, default=None, return_dtype=pl.Float64)
        return scored.filter(pl.col("score") >= limit).sort("tick", "cluster", "who")

    def _note(self, seen: pl.DataFrame, scored: pl.DataFrame, flagged: pl.DataFrame) -> None:
        """Count scores, for later thresholds: of what was flagged none."""
        minutes = seen.filter(pl.col("feature") == Feature.HOUR.value).select(_MINUTE)
        for cluster in minutes["cluster"].unique():
            one = self.calibrations[cluster]
            counted = (pl.col("cluster") == cluster) & (pl.col("tick") >= one.counted_from)
            normal = scored.filter(counted).join(flagged, on=_MINUTE, how="anti")["score"]
            quiet = minutes.filter(counted).height - scored.filter(counted).height
            one.note(normal, quiet)

    def _keep(self, seen: pl.DataFrame, flagged: pl.DataFrame) -> None:
        """Let what may be learned wait for the end of its span."""
        kept = seen.filter(pl.col("learnable") > 0).drop("row")
        if flagged.height:
            kept = kept.join(flagged.select(_MINUTE), on=_MINUTE, how="anti")
        room = max(self.learning.limit_waiting - self.waiting.height, 0)
        if kept.height > room:
            self.evicted["waiting"] += kept.height - room
            kept = kept.sort(WAITING.names()).head(room)
        self.waiting = pl.concat([self.waiting, kept.select(WAITING.names())])

    def _learn_before(self, clusters: pl.Series, span: int) -> None:
        """Learn what waits of these clusters, of spans before this one."""
        own = self.waiting["cluster"].is_in(clusters.implode())
        over = own & (self.waiting["tick"] // SPAN_TICKS < span)
        if not over.any():
            return
        ripe, self.waiting = self.waiting.filter(over), self.waiting.filter(~over)
        spans = ripe["tick"] // SPAN_TICKS
        for number in spans.unique().sort():
            part = ripe.filter(spans == number)
            self.counts.learn(part, number * SPAN_TICKS, self.learning.known.events)
            self.drift.observe(part, number * SPAN_TICKS // DAY_TICKS)

    def _tell(
        self,
        span: _Span,
        flagged: pl.DataFrame,
        contributed: pl.DataFrame,
        rare: pl.DataFrame,
        out: Released,
    ) -> None:
        strange = contributed.join(flagged.select(_MINUTE), on=_MINUTE, how="semi")
        evidence = _evidence(span, strange)
        for cluster, tick, who, score in flagged.iter_rows():
            at = (pl.col("cluster") == cluster) & (pl.col("tick") == tick) & (pl.col("who") == who)
            found = _Minute(cluster, tick, who, score, evidence.filter(at))
            run = self.runs.open.get((cluster, who))
            if run is not None and tick < run.over_tick:
                run.last_tick = max(run.last_tick, tick)
                run.events += found.events
                continue
            if run is not None:
                out.closed += self.runs.close({cluster: tick})
            self.calibrations[cluster].told += 1
            told = strange.filter(at).join(
                rare, on=[*_MINUTE, "feature", "about", "bits"], how="left"
            )
            self._begin(found, self._reasons(span, told), out)

    def _reasons(self, span: _Span, told: pl.DataFrame) -> list[Reason]:
        """Return the strongest reasons of a minute in words."""
        first = told.sort("rank", "value").unique("rank", keep="first", maintain_order=True)
        chosen = first.sort("rank").head(MOST_REASONS)
        texts = texts_of(span.due[chosen["row"]]).to_dicts()
        seen = chosen.with_columns(span.said["peers"].gather(chosen["row"]))
        known = told_from(seen, self.counts)
        return [reason(row, text, known) for row, text in zip(seen.to_dicts(), texts, strict=True)]

    def _begin(self, found: _Minute, reasons: list[Reason], out: Released) -> None:
        event = found.evidence.row(0, named=True)
        calibration = self.calibrations[found.cluster]
        probability = calibration.probability(found.score)
        wanted = calibration.probability(calibration.threshold or 0.0)
        strange = Strange(
            event["user.effective.name"] or event["user.name"] or "",
            found.score,
            probability,
            wanted,
            reasons,
            found.evidence["event.id"].head(MOST_EVIDENCE).to_list(),
            found.evidence["kubernetes.audit.auditID"].drop_nulls().head(MOST_EVIDENCE).to_list(),
            bool((found.evidence[CODE].fill_null(0) >= 400).all()),  # noqa: PLR2004 - RFC 9110
        )
        finding = finding_of(UNUSUAL_IDENTITY, event, strange)
        received: datetime = event["event.created"] or event["@timestamp"]
        dated = Documents.is_dated(event)
        out.findings.append(finding)
        out.received[finding.id] = received
        out.undated |= set() if dated else {finding.id}
        received_us = int(received.timestamp()) * 1_000_000 + received.microsecond
        self.runs.open[found.cluster, found.who] = Run(
            finding.id, found.tick, found.events, finding.order[0], received_us, dated
        )


@dataclass(frozen=True, slots=True)
class _Span:
    """Complete minutes of one span, of some clusters."""

    number: int
    seen: pl.DataFrame
    said: pl.DataFrame
    due: pl.DataFrame


@dataclass(frozen=True, slots=True)
class _Minute:
    """A strange minute of an identity, and the sightings that are strange in it."""

    cluster: int
    tick: int
    who: int
    score: float
    evidence: pl.DataFrame

    @property
    def events(self) -> int:
        """Return how many events the strange sightings stand for."""
        return int(self.evidence["count"].sum())


def _evidence(span: _Span, strange: pl.DataFrame) -> pl.DataFrame:
    """Return the sightings that are strange, once each, in order, with what minute they are of."""
    where = ["cluster", "tick", "who"]
    rows = [
        span.said.select(*where, "row", pl.col(value).alias("about")).join(
            strange.select(*where, "about"), on=[*where, "about"], how="semi"
        )["row"]
        for value in _VALUES
    ]
    shown = pl.concat(rows).unique()
    minutes = span.said[shown].select(where)
    missing = strange.select(where).unique().join(minutes, on=where, how="anti")
    whole = span.said.select(*where, "row").join(missing, on=where, how="semi")["row"]
    chosen = pl.concat([shown, whole]).sort()
    found = span.due[chosen].hstack(
        span.said[chosen].select(where).rename({"tick": "minute"}).drop("minute")
    )
    combination = [*where, *TOLD_APART]
    counted = found.group_by(combination).agg(pl.col("count").sum().alias("all"))
    return (
        found.sort("tick", "order", "event.id")
        .unique(combination, keep="first", maintain_order=True)
        .join(counted, on=combination, nulls_equal=True, maintain_order="left")
        .drop("count")
        .rename({"all": "count"})
    )
