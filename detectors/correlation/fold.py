"""Signals are folded in order of time: matches, episodes, findings.

Separate from the kernels because order and memory are decided here. Signals wait in the reorder
buffer until the watermark of their cluster has passed them, and leave it sorted by (time,
event.id); what comes out depends on that sequence and on nothing else, neither on batches nor on
restarts nor on a clock. One state holds several clusters: a worker folds them in one go.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from detectors.correlation.documents import (
    Documents,
    asking_rows,
    shown_columns,
    shown_rows,
)
from detectors.correlation.episode import Episode, Episodes, Run, extend
from detectors.correlation.first_seen import Memory
from detectors.correlation.kernels import Kernel, place_of
from detectors.correlation.late import late_findings, released_late
from detectors.correlation.released import Released
from detectors.correlation.report import Circumstances, finding_of, history_of
from detectors.correlation.rows import joined, where
from detectors.correlation.runs import Began, runs_of, told
from detectors.correlation.signals import SIGNALS, signals_of
from detectors.correlation.turns import is_ripe, latest_of, out_of_order
from detectors.correlation.windowed import (
    MATCHES,
    activated,
    is_any_over,
    steps_of,
    unanswered_of,
)
from detectors.exceptions import excepted_rows
from detectors.sigma.correlation import CorrelationType
from detectors.site import Site
from ingest.unix_time import unix_us
from ingest.verdict import DATASET as VERDICTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from detectors.correlation.plan import Plan
    from detectors.correlation.windowed import Evidence, Step
    from detectors.exceptions import Exemption
    from detectors.sigma.correlation import Correlation

BLOCK: Final = 65_536
"""Signals after which old state is dropped and the bounds are applied."""

SEQUENCE: Final = ("time", "event", "unit", "base", "via")
_MANY: Final = 1_000
"""Events kept beyond those that are waited for, before they are looked for and dropped."""

CLUSTER: Final = "orchestrator.cluster.name"

_ONCE: Final = ("unit", "base", "event")
"""What one signal is, however often it is sent; between processes none has a ``via``."""

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
        self.tails: dict[int, pl.DataFrame] = {}
        """What windows need of what was folded, by `Plan.places`."""
        self.waiting = pl.DataFrame(schema=SIGNALS)
        self.memory = Memory()
        self.episodes = Episodes()
        self.documents = Documents(shown_columns(plan, exceptions))
        self._unsettled: pl.DataFrame | None = None
        """Signals of the batch that was added last, with their rows: it was not decided yet which
        of its events must be kept. It costs less once most signals have left."""
        self.since_bound = 0
        self.evicted: Counter[str] = Counter()
        self.late = Released()
        """Of late events that are enough by themselves, told with the next release."""

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
        late = out_of_order(events, late)
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
            self._decide(None)
            self.pending = joined([self.pending, found[SIGNALS.names()]])
            self._unsettled = found
            self.documents.whole = events

    def settle(self) -> None:
        """Drop all events but those that may be needed."""
        self._decide(None)
        self.documents.keep_only(self._awaited())

    def _decide(self, ripe: Callable[[pl.DataFrame], pl.Series] | None) -> None:
        """Decide which events of the last batch must be kept.

        Parameters
            ripe: which of its signals were folded by now; None: none.
        """
        if self._unsettled is None:
            return
        found, self._unsettled = self._unsettled, None
        rows = []
        if ripe is not None:
            rows.append(asking_rows(found, self.waiting, self.plan))
            found = where(found, ~ripe(found))
        rows.append(shown_rows(found, self.memory, self.plan))
        self.documents.keep(pl.concat(rows).unique())
        if self.documents.height > 2 * (self.pending.height + self.waiting.height) + _MANY:
            self.documents.keep_only(self._awaited())

    def _awaited(self) -> pl.Series:
        return pl.concat([self.pending["event"], self.waiting["event"]]).unique()

    def _note_times(self, events: pl.DataFrame, late: pl.Series | None) -> None:
        clusters, times = events[CLUSTER], events["@timestamp"].to_physical()
        # People decide by another clock: a verdict is not how far the log has come.
        moving = events["event.dataset"].ne_missing(VERDICTS)
        moving = moving if late is None else moving & ~late
        if not moving.all():
            clusters, times = clusters.filter(moving), times.filter(moving)
        if clusters.is_empty():
            return
        for cluster, latest in latest_of(clusters, times):
            number = self._number(cluster)
            self.latest_us[number] = max(self.latest_us[number], latest or 0)

    def _number(self, cluster: str) -> int:
        name = _ALL if self.plan.across_clusters else cluster
        if name not in self.clusters:
            self.clusters[name] = len(self.clusters)
            self.folded_us.append(0)
            self.latest_us.append(0)
        return self.clusters[name]

    def release(self, watermark: int | Mapping[str, int] | None) -> Released:
        """Fold all that lies before the watermark; None: all there is.

        Parameters
            watermark: microseconds of Unix time; of all clusters, or by name.

        Linear in what is released, and in the state of the groups concerned.
        """
        out, self.late = self.late, Released()
        times = None if watermark is None else self._times(watermark)
        for block, is_last in self._blocks(self._due(times)):
            self._fold(block, self._reached(times) if is_last else None, out)
        self._let_time_pass(times, out)
        self._decide(lambda found: is_ripe(found, times))
        return out

    def _reached(self, times: list[int] | None) -> list[int]:
        now = self.latest_us if times is None else times
        return [max(pair) for pair in zip(self.folded_us, now, strict=True)]

    def _times(self, watermark: int | Mapping[str, int]) -> list[int]:
        """Return the watermark by number of the cluster; none goes back."""
        if isinstance(watermark, int):
            return [max(folded, watermark) for folded in self.folded_us]
        for name in watermark:
            self._number(name)
        given = {self._number(name): time for name, time in watermark.items()}
        return [max(folded, given.get(n, 0)) for n, folded in enumerate(self.folded_us)]

    def _due(self, times: list[int] | None) -> pl.DataFrame:
        due = self.pending
        ripe = is_ripe(due, times)
        if not ripe.any():
            return due.clear()
        self.pending = where(due, ~ripe)
        return where(due, ripe)

    def _blocks(self, due: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, bool]]:
        """Cut the sequence after every BLOCK signals, never between those of one event.

        Each with whether it is the last of this release.
        """
        if due.height >= BLOCK - self.since_bound:
            due = due.sort(SEQUENCE)
        while due.height:
            length = min(BLOCK - self.since_bound, due.height)
            while length < due.height and due["event"][length] == due["event"][length - 1]:
                length += 1
            yield due.head(length), length == due.height
            due = due.slice(length)
            self.since_bound += length
            if self.since_bound >= BLOCK:
                self.since_bound = 0
                self._bound()

    def _fold(self, block: pl.DataFrame, reached: list[int] | None, out: Released) -> None:
        """Fold a block of the sequence.

        Parameters
            reached: by cluster, the time up to which no other signals follow; None: it is not
                the last block of its release.
        """
        self._note_folded(block)
        until_us = reached or self.folded_us
        places = self.plan.places[block["unit"]]
        here = frozenset(places.unique())
        matched = _NO_MATCHES
        begun: list[Began] = []
        for level in range(len(self.plan.levels)):
            parts: dict[Kernel, pl.DataFrame] = {}
            for kernel in Kernel:
                if (place := place_of(level, kernel)) in here:
                    rows = activated(where(block, places == place), matched)
                    parts |= {kernel: rows} if rows.height else {}
            if parts and (steps := steps_of(level, parts, self, until_us)):
                matched = joined([matched, *(step.matches for step in steps)])
                begun += self._begun(steps)
        if begun:
            self._tell(begun, out)

    def _note_folded(self, block: pl.DataFrame) -> None:
        for number, newest in latest_of(block["cluster"], block["time"]):
            self.folded_us[number] = max(self.folded_us[number], newest)

    def _begun(self, steps: Sequence[Step]) -> Iterator[Began]:
        """Yield the runs of matches, with what is told of those that may begin an episode."""
        by_step: dict[int, list[Run]] = {number: [] for number in range(len(steps))}
        for number, run in runs_of(steps, self.plan.about_units["timespan"]):
            if self.episodes.continues(run) is None:
                by_step[number].append(run)
            else:
                yield Began(run, None, None)
        for number, runs in by_step.items():
            yield from told(steps[number], runs) if runs else ()

    def _tell(self, begun: list[Began], out: Released) -> None:
        wanted = {one.run.event for one in begun if one.evidence}
        events = self.documents.of(wanted) if wanted else {}
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
        self, began: Began, evidence: Evidence, event: Mapping[str, Any], out: Released
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
            unix_us(received),
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

    def _around(self, correlation: Correlation, began: Began, evidence: Evidence) -> Circumstances:
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
        self.folded_us = self._reached(times)
        if is_any_over(self, self.folded_us) and (step := unanswered_of(self, self.folded_us)):
            self._tell(list(self._begun([step])), out)
        out.closed += self.episodes.close(None if times is None else self.folded_us)

    def _bound(self) -> None:
        """Drop what can no longer count, then the oldest of a cluster beyond the bound."""
        most = self.plan.state_rows
        spans = self.plan.units.select("unit", "timespan")
        tails = joined([self.pending.clear(), *self.tails.values()])
        now = pl.Series(self.folded_us, dtype=pl.Int64)
        alive = pl.col("time") + pl.col("timespan") > now.gather(tails["cluster"])
        held = tails.join(spans, on="unit", maintain_order="left").filter(alive)
        self.take_tails(self._within(held.select(SIGNALS.names()), most, "windows"))
        self.waiting = self._within(self.waiting, most, "absence")
        # Findings of episodes that end so keep what they said when they began.
        self.evicted["episodes"] += sum(1 for _ in self.episodes.evict(most))
        oldest_us = min(self.folded_us, default=0)
        self.evicted["first-seen"] += self.memory.forget(self.plan.units, oldest_us, most)

    def take_tails(self, tails: pl.DataFrame) -> None:
        """Keep what windows need, and nothing that was kept before."""
        places = self.plan.places[tails["unit"]]
        self.tails = {place: where(tails, places == place) for place in places.unique().sort()}

    def _within(self, held: pl.DataFrame, most: int, what: str) -> pl.DataFrame:
        if held.height <= most:
            return held.rechunk()
        by_age = held.sort("time", "event", "unit", "base")
        kept = by_age.group_by("cluster", maintain_order=True).tail(most)
        self.evicted[what] += held.height - kept.height
        return kept.select(SIGNALS.names()).rechunk()


_NO_MATCHES: Final = pl.DataFrame(schema=MATCHES)
