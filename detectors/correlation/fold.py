"""Signals are folded in order of time: matches, episodes, findings.

Separate from the kernels because order and memory are decided here. Signals wait in the reorder
buffer until the watermark of their cluster has passed them, and leave it sorted by (time,
event.id); what comes out depends on that sequence and on nothing else, neither on batches nor on
restarts nor on a clock. One state holds several clusters: a worker folds them in one go.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.correlation.documents import Documents, shown_columns
from detectors.correlation.episode import Episode, Episodes, Run, extend
from detectors.correlation.first_seen import Memory
from detectors.correlation.late import late_findings, released_late
from detectors.correlation.released import Released
from detectors.correlation.report import Circumstances, finding_of, history_of
from detectors.correlation.signals import SIGNALS, signals_of
from detectors.correlation.windowed import MATCHES, Evidence, Step, steps_of, unanswered_of
from detectors.exceptions import excepted_rows
from detectors.sigma.correlation import CorrelationType
from detectors.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from detectors.correlation.plan import Plan
    from detectors.exceptions import Exemption
    from detectors.sigma.correlation import Correlation

BLOCK: Final = 65_536
"""Signals after which old state is dropped and the bounds are applied."""

SEQUENCE: Final = ("time", "event", "unit", "base", "via")
CLUSTER: Final = "orchestrator.cluster.name"

_ONCE: Final = ("unit", "base", "event")
"""What one signal is, however often it is sent; between processes none has a ``via``."""

_KNOWN: Final = ("known_events", "known_since", "by_peers")
"""What is known of a group in which something is seen for the first time."""

_ALL: Final = ""
"""Name of the one cluster where groups reach over clusters."""

_UNKNOWN_SITE: Final = Site()


class OverTime:
    """The state of all correlations of a plan, for the clusters that it is given events of."""

    def __init__(
        self,
        plan: Plan,
        site: Site = _UNKNOWN_SITE,
        exceptions: Sequence[Exemption] = (),
    ) -> None:
        self.plan = plan
        self.site = site
        self.exceptions = exceptions
        self.clusters: dict[str, int] = {}
        self.folded_us: list[int] = []
        """By cluster: the time up to which its sequence was folded."""
        self.latest_us: list[int] = []
        """By cluster: the latest time of any event, with or without a signal; a log ends there."""
        self.pending = pl.DataFrame(schema=SIGNALS)
        self.tails = pl.DataFrame(schema=SIGNALS)
        self.waiting = pl.DataFrame(schema=SIGNALS)
        self.memory = Memory()
        self.episodes = Episodes()
        self.documents = Documents(shown_columns(plan, exceptions))
        self.since_bound = 0
        self.evicted: Counter[str] = Counter()
        self.late = Released()
        """Of late events that are enough by themselves, told with the next release."""
        self._seen_units = plan.units_of(CorrelationType.FIRST_SEEN)

    def add(self, events: pl.DataFrame, hits: pl.DataFrame, late: pl.Series | None = None) -> None:
        """Take the signals of a batch; those of late events enter nothing.

        Parameters
            events: under EVENT_SCHEMA, repeats dropped.
            hits: ``row`` and ``rule`` of these events, for all rules of the pack.
            late: whether each event lies behind the watermark; None: none does.
        """
        if not self.plan.feeds or events.is_empty():
            return
        self._note_times(events, late)
        late = _out_of_order(events, late)
        if late is not None:
            of_late = late.gather(hits["row"])
            late_ones = late_findings(events, hits.filter(of_late), self.plan, self.site)
            self.late.extend(released_late(list(late_ones), events, self.plan, self.exceptions))
            hits = hits.filter(~of_late)
        numbers = dict.fromkeys(events[CLUSTER].unique(), 0)
        if not self.plan.across_clusters:
            numbers = {name: self._number(name) for name in numbers}
        self._hold(signals_of(events, hits, self.plan, numbers), events)

    def take(self, found: pl.DataFrame, documents: pl.DataFrame) -> int:
        """Take signals that another process made, none behind the watermark.

        Parameters
            found: under FOUND, ``row`` being that of its event in ``documents``.

        Returns how many are no repeats. One whose like was folded already lies behind the
        watermark, so those that still wait are all that it can be a repeat of.
        """
        number = pl.lit(self._number(_ALL), dtype=pl.UInt32).alias("cluster")
        fresh = found.with_columns(number).unique(_ONCE, keep="any")
        fresh = fresh.join(self.pending, on=_ONCE, how="anti")
        self._hold(fresh, documents)
        return fresh.height

    def _hold(self, found: pl.DataFrame, events: pl.DataFrame) -> None:
        if found.height:
            self.pending = pl.concat([self.pending, found.select(SIGNALS.names())])
            self.documents.add(events, self._may_show(found))

    def _note_times(self, events: pl.DataFrame, late: pl.Series | None) -> None:
        times = events.select(CLUSTER, pl.col("@timestamp").to_physical().alias("time"))
        if late is not None:
            times = times.filter(~late)
        for cluster, latest in times.group_by(CLUSTER).agg(pl.col("time").max()).iter_rows():
            number = self._number(cluster)
            self.latest_us[number] = max(self.latest_us[number], latest or 0)

    def _number(self, cluster: str) -> int:
        name = _ALL if self.plan.across_clusters else cluster
        if name not in self.clusters:
            self.clusters[name] = len(self.clusters)
            self.folded_us.append(0)
            self.latest_us.append(0)
        return self.clusters[name]

    def _may_show(self, found: pl.DataFrame) -> pl.Series:
        """Return the rows that a finding may have to show: not what was seen long ago."""
        if not self._seen_units:
            return found["row"].unique()
        learns = pl.col("unit").is_in(self._seen_units)
        candidates = self.memory.unseen(found.filter(learns), self.plan.units)
        return pl.concat([found.filter(~learns)["row"], candidates["row"]]).unique()

    def release(self, watermark: int | Mapping[str, int] | None) -> Released:
        """Fold all that lies before the watermark; None: all there is.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.

        Linear in what is released, and in the state of the groups concerned.
        """
        out, self.late = self.late, Released()
        times = None if watermark is None else self._times(watermark)
        for block in self._blocks(self._due(times)):
            self._fold(block, out)
        self._let_time_pass(times, out)
        return out

    def _times(self, watermark: int | Mapping[str, int]) -> list[int]:
        """Return the watermark by number of the cluster; none goes back."""
        if isinstance(watermark, int):
            return [max(folded, watermark) for folded in self.folded_us]
        for name in watermark:
            self._number(name)
        given = {self._number(name): time for name, time in watermark.items()}
        return [max(folded, given.get(n, 0)) for n, folded in enumerate(self.folded_us)]

    def _due(self, times: list[int] | None) -> pl.DataFrame:
        if self.pending.is_empty():
            return self.pending
        due = self.pending
        if times is None:
            self.pending = self.pending.clear()
        else:
            ripe = self.pending["time"] < pl.Series(times, dtype=pl.Int64).gather(
                self.pending["cluster"]
            )
            due = self.pending.filter(ripe)
            if due.height:
                self.pending = self.pending.filter(~ripe)
        return due.sort(SEQUENCE)

    def _blocks(self, due: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Cut the sequence after every BLOCK signals, never between those of one event."""
        while due.height:
            length = min(BLOCK - self.since_bound, due.height)
            while length < due.height and due["event"][length] == due["event"][length - 1]:
                length += 1
            yield due.head(length)
            due = due.slice(length)
            self.since_bound += length
            if self.since_bound >= BLOCK:
                self.since_bound = 0
                self._bound()

    def _fold(self, block: pl.DataFrame, out: Released) -> None:
        for number, newest in block.group_by("cluster").agg(pl.col("time").max()).iter_rows():
            self.folded_us[number] = max(self.folded_us[number], newest)
        matched = pl.DataFrame(schema=MATCHES)
        begun: list[_Began] = []
        for units in self.plan.levels:
            rows = _activated(block.filter(pl.col("unit").is_in(units)), matched)
            steps = [step for step in steps_of(rows, self) if step.matches.height]
            if steps:
                matched = pl.concat([matched, *(step.matches for step in steps)])
                begun += self._begun(steps)
        self._tell(begun, out)

    def _begun(self, steps: Sequence[Step]) -> Iterator[_Began]:
        """Yield the runs of matches, with what is told of those that may begin an episode."""
        matches = pl.concat(
            step.matches.with_columns(pl.lit(number, dtype=pl.UInt8).alias("step"))
            for number, step in enumerate(steps)
        )
        by_step: dict[int, list[Run]] = {number: [] for number in range(len(steps))}
        for number, run in self._runs(matches):
            if self.episodes.continues(run) is None:
                by_step[number].append(run)
            else:
                yield _Began(run, None, None)
        for number, runs in by_step.items():
            yield from self._told(steps[number], runs) if runs else ()

    def _told(self, step: Step, runs: Sequence[Run]) -> Iterator[_Began]:
        rows = [run.row for run in runs]
        known: Sequence[Any] = rows
        if "known_events" in step.rows.columns:
            known = step.rows.select(_KNOWN)[rows].rows(named=True)
        for run, evidence, about in zip(runs, step.evidence(step.rows, rows), known, strict=True):
            yield _Began(run, evidence, about)

    def _runs(self, matches: pl.DataFrame) -> Iterator[tuple[int, Run]]:
        """Join matches that follow each other within the timespan; an episode has one or more.

        Each with the number of its step, which is the same for all matches of a correlation.
        """
        spans = self.plan.units.select("unit", "timespan")
        group = ("correlation", "cluster", "key")
        ordered = matches.join(spans, on="unit").sort(*group, "time", "event", "unit")
        gap = pl.col("time") - pl.col("time").shift(1).over(group) > pl.col("timespan")
        numbered = ordered.with_columns(gap.fill_null(value=False).cum_sum().over(group).alias("n"))
        found = numbered.group_by(*group, "n", maintain_order=True).agg(
            pl.col("time").first().alias("first_us"),
            pl.col("time").last().alias("last_us"),
            pl.col("event").first(),
            pl.col("event").last().alias("last_event"),
            pl.col("event").n_unique().alias("events"),
            pl.col("base", "row", "count").first(),
            pl.col("timespan").first().alias("timespan_us"),
            pl.col("step").first(),
        )
        for *run, step in found.drop("n").iter_rows():
            yield step, Run(*run)

    def _tell(self, begun: list[_Began], out: Released) -> None:
        events = self.documents.of({one.run.event for one in begun if one.evidence})
        for one in sorted(begun, key=lambda one: (one.run.first_us, one.run.event)):
            run = one.run
            episode = self.episodes.continues(run)
            if episode is not None:
                extend(episode, run)
                continue
            if (run.correlation, run.key) in self.episodes.open:
                out.closed += self.episodes.end(run.correlation, run.key)
            if one.evidence and (event := events.get(run.event)):
                self._begin(one, one.evidence, event, out)
            else:
                self.evicted["documents"] += 1

    def _begin(
        self, began: _Began, evidence: Evidence, event: Mapping[str, Any], out: Released
    ) -> None:
        """Begin an episode, and report it."""
        run = began.run
        correlation = self.plan.correlations[run.correlation]
        around = self._around(correlation, began, evidence)
        finding = finding_of(
            correlation, event, around, self.site, self.plan.bases[run.correlation]
        )
        received: datetime = event["event.created"] or event["@timestamp"]
        if correlation.type is CorrelationType.ABSENCE:
            # What did not happen is received when its time is over; its index depends on it.
            received += timedelta(microseconds=correlation.timespan_us)
        dated = self.documents.is_dated(event)
        silent = correlation.id in self.plan.silent or self._is_excepted(correlation, run, out)
        self.episodes.open[run.correlation, run.key] = Episode(
            "" if silent else finding.id,
            run.last_us,
            run.timespan_us,
            len(evidence.events) + run.events - 1,
            finding.order[0],
            _micros(received),
            dated,
            run.last_event,
            run.cluster,
        )
        if not silent:
            out.findings.append(finding)
            out.received[finding.id] = received
            out.undated |= set() if dated else {finding.id}

    def _is_excepted(self, correlation: Correlation, run: Run, out: Released) -> bool:
        if not self.exceptions:
            return False
        row = self.documents.row(run.event)
        (covered,), held = excepted_rows([(correlation, 0)], row, self.exceptions)
        out.excepted.update(held)
        return covered

    def _around(self, correlation: Correlation, began: _Began, evidence: Evidence) -> Circumstances:
        run = began.run
        new = correlation.type is CorrelationType.FIRST_SEEN
        return Circumstances(
            _ALL if self.plan.across_clusters else None,
            run.count,
            run.base,
            evidence.times,
            evidence.events,
            evidence.audit_ids,
            evidence.values,
            run.first_us if correlation.type is CorrelationType.ABSENCE else None,
            history_of(correlation, began.known) if new else "",
        )

    def _let_time_pass(self, times: list[int] | None, out: Released) -> None:
        """Let what only waits for time happen: silence, and the end of episodes."""
        now = self.latest_us if times is None else times
        self.folded_us = [max(pair) for pair in zip(self.folded_us, now, strict=True)]
        if self.waiting.height:
            step = unanswered_of(self)
            if step.matches.height:
                self._tell(list(self._begun([step])), out)
        out.closed += self.episodes.close(None if times is None else self.folded_us)
        if self.documents.held:
            self.documents.keep_only(
                pl.concat([self.pending["event"], self.waiting["event"]]).unique()
            )

    def _bound(self) -> None:
        """Drop what can no longer count, then the oldest of a cluster beyond the bound."""
        most = self.plan.state_rows
        spans = self.plan.units.select("unit", "timespan")
        now = pl.Series(self.folded_us, dtype=pl.Int64)
        alive = pl.col("time") + pl.col("timespan") > now.gather(self.tails["cluster"])
        held = self.tails.join(spans, on="unit", maintain_order="left").filter(alive)
        self.tails = self._within(held.select(SIGNALS.names()), most, "windows")
        self.waiting = self._within(self.waiting, most, "absence")
        # Findings of episodes that end so keep what they said when they began.
        self.evicted["episodes"] += sum(1 for _ in self.episodes.evict(most))
        oldest_us = min(self.folded_us, default=0)
        self.evicted["first-seen"] += self.memory.forget(self.plan.units, oldest_us, most)

    def _within(self, held: pl.DataFrame, most: int, what: str) -> pl.DataFrame:
        if held.height <= most:
            return held.rechunk()
        by_age = held.sort("time", "event", "unit", "base")
        kept = by_age.group_by("cluster", maintain_order=True).tail(most)
        self.evicted[what] += held.height - kept.height
        return kept.select(SIGNALS.names()).rechunk()


def _out_of_order(events: pl.DataFrame, late: pl.Series | None) -> pl.Series | None:
    """Return which events have no place in the order of time; None if all have one."""
    timeless = events["@timestamp"].is_null()
    out = timeless if late is None else late.fill_null(value=True) | timeless
    return out if out.any() else None


@dataclass(frozen=True, slots=True)
class _Began:
    run: Run
    evidence: Evidence | None
    """None: an episode was going on that it continues."""
    known: Any
    """Of first_seen: what was known of the group, by _KNOWN."""


def _activated(rows: pl.DataFrame, matched: pl.DataFrame) -> pl.DataFrame:
    """Return rows without those that stand on a correlation that did not match at their event."""
    if rows["via"].null_count() == rows.height:
        return rows
    active = rows.join(
        matched.select(pl.col("correlation").alias("via"), "event").unique(),
        on=["via", "event"],
        how="semi",
    )
    return pl.concat([rows.filter(pl.col("via").is_null()), active]).sort(SEQUENCE)


def _micros(time: Any) -> int:
    return int(time.timestamp()) * 1_000_000 + int(time.microsecond)
