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

from detectors.anomaly.blame import Blame
from detectors.anomaly.detector import UNUSUAL_IDENTITY
from detectors.anomaly.minute import Minute, Span, evidence_of
from detectors.anomaly.report import (
    MOST_EVIDENCE,
    Strange,
    exception_to,
    finding_of,
    shown_columns,
)
from detectors.anomaly.runs import Run, Runs
from detectors.anomaly.spans import span_starts
from detectors.anomaly.verdicts import Verdicts
from detectors.correlation.documents import Documents
from detectors.correlation.released import Released
from detectors.site import Site
from ingest.unix_time import unix_us
from models.profile import rarity
from models.profile.action_key import CLUSTER, CODE, DAY_TICKS, TICK_US, sightings, sightings_schema
from models.profile.budget import Calibration
from models.profile.counts import Counts
from models.profile.defaults import FINDINGS_A_DAY
from models.profile.drift import Drift
from models.profile.normal import normal_of
from models.profile.observed import MINUTE, OBSERVED, Feature, coded, digest, observed
from models.profile.told import Told
from models.profile.words import MOST_REASONS, Reason, reason, texts_of, told_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from detectors.exceptions import Exemption
    from models.profile.profile import Profile

WAITING: Final = pl.Schema({name: OBSERVED[name] for name in OBSERVED.names() if name != "row"})


_UNKNOWN_SITE: Final = Site()


@dataclass(frozen=True, slots=True)
class Learning:
    """What a learned detector is told by whoever runs it."""

    findings_a_day: float = FINDINGS_A_DAY
    known: rarity.Known = rarity.AFTER_200_EVENTS
    """When an identity's own counts decide; a service asks for an event day too, a scan not."""
    hold_ticks: int = 1
    """Minutes that are scored together: more are cheaper, where nobody waits for them."""
    silent_ticks: int = 0
    """Minutes of a cluster in which nothing is told: at first everything is new."""
    told_ticks: int = 0
    """Minutes for which the same of the same identity is told once; 0: after each quiet time."""
    limit_rows: int = 1_000_000
    limit_waiting: int = 500_000
    limit_runs: int = 10_000
    limit_told: int = 100_000


class Learned:
    """The state of the detector, for the clusters that it is given events of."""

    def __init__(
        self,
        learning: Learning = Learning(),
        begin: Profile | None = None,
        site: Site = _UNKNOWN_SITE,
        exceptions: Sequence[Exemption] = (),
    ) -> None:
        """Begin with nothing learned.

        Parameters
            begin: what is known of clusters that are seen for the first time; None: nothing.
            site: what raises and lowers levels.
            exceptions: those that name this detector are its own.
        """
        self.learning = learning
        self.begin = begin
        self.site = site
        self.exceptions = [one for one in exceptions if UNUSUAL_IDENTITY.id in one.detections]
        self.shown = shown_columns(self.exceptions)
        self.counts = Counts(learning.limit_rows)
        self.clusters: dict[int, str] = {}
        self.passed: dict[int, int] = {}
        """By cluster: the first minute that was not scored."""
        self.calibrations: dict[int, Calibration] = {}
        self.pending = pl.DataFrame(schema=sightings_schema(self.shown))
        self.blame = Blame()
        self.waiting = pl.DataFrame(schema=WAITING)
        """Observations of spans that were not learned yet."""
        self.runs = Runs()
        self.told = Told()
        self.drift = Drift()
        self.verdicts = Verdicts()
        self.evicted: Counter[str] = Counter()

    def add(
        self,
        events: pl.DataFrame,
        late: pl.Series | None = None,
        flagged: pl.Series | None = None,
    ) -> pl.Series:
        """Take the events of a batch; late ones enter nothing.

        Returns event.id of what a finding may show: of each act the first.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            late: whether each event lies behind the watermark; None: none does.
            flagged: event.id of what rules found: it is scored, never learned.
        """
        self.verdicts.add(events, late, flagged)
        seen = sightings(events, self.shown, late, flagged)
        if seen.is_empty():
            return seen["event.id"]
        self._name(seen)
        seen = self._in_time(seen)
        room = max(self.learning.limit_waiting - self.pending.height, 0)
        if seen.height > room:
            self.evicted["sightings"] += seen.height - room
            seen = seen.sort("tick", "order", "event.id").head(room)
        self.pending = pl.concat([self.pending, seen])
        return seen["event.id"]

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
            number = digest(name)
            if number not in self.clusters:
                self.clusters[number] = name
                self.take_up(number)

    def take_up(self, cluster: int) -> None:
        """Begin with what a model knows of a cluster, and where that ends."""
        known = self.begin.clusters.get(cluster) if self.begin else None
        if known is None:
            return
        known.begin(cluster, self.counts, self.drift)
        self.calibrations[cluster] = known.fresh_calibration()
        self.passed[cluster] = max(self.passed.get(cluster, known.passed), known.passed)

    def settle(self) -> None:
        """Learn what waits for the end of its span; later minutes of that span are learned too."""
        clusters = self.waiting["cluster"].unique().sort()
        if clusters.len():
            last = self.waiting.select(pl.col("tick").max()).item()
            self._learn_before(clusters, last + 1)

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
            self._score(self.blame.mark(due), out)
        if limits is not None:
            self.passed.update(limits)
        self.blame.forgive(limits)
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
        starts = self._starts(seen)
        for start in starts.unique().sort():
            self._score_span(Span(start, seen.filter(starts == start), said, due), out)

    def _starts(self, seen: pl.DataFrame) -> pl.Series:
        """Return, for each observation, the first minute of its span."""
        firsts = {cluster: one.first_tick for cluster, one in self.calibrations.items()}
        return span_starts(seen, firsts)

    def _score_span(self, span: Span, out: Released) -> None:
        """Score the minutes of one span against what was learned from the spans before it."""
        clusters = span.seen["cluster"].unique().sort()
        self._learn_before(clusters, span.start)
        for cluster in clusters:
            self._calibration(cluster, span)
        first_tick, known = span.start, self.learning.known
        accepted = self.verdicts.take(clusters, first_tick, self.counts, known.events)
        out.closed += self.runs.end(accepted)
        rare = rarity.bits(span.seen, self.counts, first_tick, known)
        rare = self.verdicts.reasons(rare, first_tick)
        scored = rarity.scores(rarity.contributions(rare))
        flagged = self._flagged(scored, span.start)
        kept_out = self.verdicts.kept_out(span.seen, flagged, first_tick)
        self._note(span.seen, scored, kept_out)
        if flagged.height:
            self._tell(span, flagged, rare, out)
            self.verdicts.hold(span.seen, rare, self.runs.reported(flagged))
        self._keep(span.seen, kept_out)

    def _calibration(self, cluster: int, span: Span) -> None:
        one = self.calibrations.get(cluster)
        if one is None:
            one = self.calibrations[cluster] = Calibration(span.start, span.start // DAY_TICKS)
        one.advance(span.start, self.learning.findings_a_day)

    def _flagged(self, scored: pl.DataFrame, start: int) -> pl.DataFrame:
        """Return the scores that are over the threshold of their cluster, in order."""
        known = {
            c: one.threshold
            for c, one in self.calibrations.items()
            if one.threshold and start >= one.first_tick + self.learning.silent_ticks
        }
        if not known or scored.is_empty():
            return scored.clear()
        limit = pl.col("cluster").replace_strict(known, default=None, return_dtype=pl.Float64)
        return scored.filter(pl.col("score") >= limit).sort("tick", "cluster", "who")

    def _note(self, seen: pl.DataFrame, scored: pl.DataFrame, kept_out: pl.DataFrame) -> None:
        """Count scores, for later thresholds: of minutes that are not learned none."""
        minutes = seen.filter(pl.col("feature") == Feature.HOUR.value).select(MINUTE)
        for cluster in minutes["cluster"].unique():
            one = self.calibrations[cluster]
            counted = (pl.col("cluster") == cluster) & (pl.col("tick") >= one.counted_from)
            normal = scored.filter(counted).join(kept_out, on=MINUTE, how="anti")["score"]
            quiet = minutes.filter(counted).height - scored.filter(counted).height
            one.note(normal, quiet)

    def _keep(self, seen: pl.DataFrame, kept_out: pl.DataFrame) -> None:
        """Let what may be learned wait for the end of its span."""
        kept = seen.filter(pl.col("learnable") > 0).drop("row")
        if kept_out.height:
            kept = kept.join(kept_out, on=MINUTE, how="anti")
        room = max(self.learning.limit_waiting - self.waiting.height, 0)
        if kept.height > room:
            self.evicted["waiting"] += kept.height - room
            kept = kept.sort(WAITING.names()).head(room)
        self.waiting = pl.concat([self.waiting, kept.select(WAITING.names())])

    def _learn_before(self, clusters: pl.Series, start: int) -> None:
        """Learn what waits of these clusters, of spans that began before this minute."""
        if self.waiting.is_empty():
            return
        starts = self._starts(self.waiting)
        over = self.waiting["cluster"].is_in(clusters.implode()) & (starts < start)
        if not over.any():
            return
        ripe, self.waiting = self.waiting.filter(over), self.waiting.filter(~over)
        starts = starts.filter(over)
        begins = starts.unique().sort()
        for begun in begins:
            part = ripe.filter(starts == begun) if begins.len() > 1 else ripe
            self.counts.learn(part, begun, self.learning.known.events)
            self.drift.observe(part, begun // DAY_TICKS)

    def _tell(self, span: Span, flagged: pl.DataFrame, rare: pl.DataFrame, out: Released) -> None:
        """Tell what is strange and was not told before; the same again only goes on."""
        strange = rare.join(flagged.select(MINUTE), on=MINUTE, how="semi")
        evidence = evidence_of(span, rarity.contributions(strange))
        for cluster, tick, who, score in flagged.iter_rows():
            at = (pl.col("cluster") == cluster) & (pl.col("tick") == tick) & (pl.col("who") == who)
            found = Minute(cluster, tick, who, score, evidence.filter(at))
            run = self.runs.open.get((cluster, who))
            if run is not None and tick >= run.over_tick:
                out.closed += self.runs.close({cluster: tick})
                run = None
            news = self.told.news(strange.filter(at), tick, self._told_ticks(who, tick))
            is_news = self._is_news(cluster, tick, news)
            if is_news and self.learning.told_ticks:
                self.told.tell(news, tick, self.learning.limit_told)
            if run is not None:
                run.last_tick = max(run.last_tick, tick)
                run.events += found.events
            if run is not None or not is_news:
                continue
            if exception := exception_to(UNUSUAL_IDENTITY, found.evidence, self.exceptions):
                out.excepted[exception] += 1
                continue
            self.calibrations[cluster].told += 1
            self._begin(found, self._reasons(span, news), out)

    def _told_ticks(self, who: int, tick: int) -> int:
        """Return how long the same is told once: of who was found to be an attacker, not at all."""
        distrusted = self.verdicts.distrusted.values()
        is_distrusted = any(who in one.who and tick < one.until for one in distrusted)
        return 0 if is_distrusted else self.learning.told_ticks

    def _is_news(self, cluster: int, tick: int, news: pl.DataFrame) -> bool:
        """Tell whether what nobody was told of is strange enough by itself; count its score."""
        one = self.calibrations[cluster]
        score = float(rarity.scores(rarity.contributions(news))["score"].sum())
        if tick >= one.counted_from:
            one.note(pl.Series([score], dtype=pl.Float64), 0)
        return one.threshold is not None and score >= one.threshold

    def _reasons(self, span: Span, news: pl.DataFrame) -> list[Reason]:
        """Return the strongest reasons of a minute in words."""
        strongest = rarity.contributions(news)
        told = strongest.join(news, on=[*MINUTE, "feature", "about", "bits"], how="left")
        first = told.sort("rank", "value").unique("rank", keep="first", maintain_order=True)
        chosen = first.sort("rank").head(MOST_REASONS)
        texts = texts_of(span.due[chosen["row"]]).to_dicts()
        seen = chosen.with_columns(span.said["peers"].gather(chosen["row"]))
        known = told_from(seen, self.counts)
        return [reason(row, text, known) for row, text in zip(seen.to_dicts(), texts, strict=True)]

    def _begin(self, found: Minute, reasons: list[Reason], out: Released) -> None:
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
            calibration.threshold or 0.0,
            self.learning.findings_a_day,
            normal_of(found.who, found.evidence["peers"][0], found.tick, self.counts),
            self.begin.name if self.begin else "",
        )
        finding = finding_of(UNUSUAL_IDENTITY, event, strange, self.site)
        received: datetime = event["event.created"] or event["@timestamp"]
        dated = Documents.is_dated(event)
        out.findings.append(finding)
        out.received[finding.id] = received
        out.undated |= set() if dated else {finding.id}
        self.runs.open[found.cluster, found.who] = Run(
            finding.id,
            found.tick,
            found.events,
            finding.order[0],
            unix_us(received),
            dated,
            found.tick,
        )
