"""A partition's batches are folded as the service folds them; findings of each part come out.

Separate from the orchestration because this is the service's step without its sinks: late marks by
cluster in log order, the rules, the state over time, and each act once.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Final

import polars as pl

from detectors.ruleset import look
from ingest.unix_time import time_of, unix_us
from ingest.verdict import DATASET as VERDICTS
from worker.cluster_memory import LATENESS_US
from worker.finding_order import FindingOrder
from worker.replay_learning import Learning
from worker.replay_span import told_from
from worker.scan import HeldEpisodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detectors.correlation.fold import OverTime
    from detectors.finding import Finding
    from worker.replay_learning import Side
    from worker.replay_log import PartitionLog
    from worker.replay_parts import Part
    from worker.replay_span import Span

Found = list["list[Finding]"]
"""Findings of each part, in the parts' order, then of the learned detectors of each side."""

_TIME: Final = "@timestamp"
_CLUSTER: Final = "orchestrator.cluster.name"
_DATASET: Final = "event.dataset"
_QUIET_US: Final = 3_600_000_000
"""A cluster so far behind its partition's newest event holds nothing up: it may never speak again.
"""


class Across:
    """The state of one part's correlations across clusters: that of all partitions together."""

    __slots__ = ("held", "order", "state")

    def __init__(self, part: Part) -> None:
        self.state: OverTime = part.rules.over_clusters()
        self.held = HeldEpisodes()
        self.order = FindingOrder()

    def release(self, watermark_us: int | None) -> list[Finding]:
        """Fold what all partitions have passed; None: all there is, and this is the end."""
        self.order.add(self.held.take(self.state.release(watermark_us)))
        if watermark_us is not None:
            return self.order.release(time_of(watermark_us))
        self.order.add(self.held.rest())
        return self.order.release(None)


class _Folding:
    """One part of the rules in one partition."""

    __slots__ = ("across", "found", "held", "order", "part", "state")

    def __init__(self, part: Part, across: Across) -> None:
        self.part = part
        self.across = across
        self.found: list[list[Finding]] = []
        """What rules that remember found with each of the last releases."""
        # Learned detectors hear of more than one part: see replay_learning.
        self.state = part.rules.remembered(learns=False)
        self.held = HeldEpisodes()
        self.order = FindingOrder()

    def take(self, events: pl.DataFrame, late: pl.Series, live: pl.Series) -> pl.Series:
        """Take a batch; return event.id of what rules found in it."""
        looked = look(events, self.part.rules, live)
        self.order.add(looked.reported.findings)
        for state in (self.state, self.across.state):
            state.add(events, looked.hits, late)
        return looked.flagged

    def release(self, watermarks: dict[str, int], until_us: int) -> list[Finding]:
        self.found = [self._release(watermarks)]
        return self.order.release(time_of(until_us))

    def finish(self, passed: dict[str, int]) -> list[Finding]:
        """Let time pass where it is known to have passed, then end all that goes on."""
        self.found = [self._release(passed), self._release(None)]
        self.order.add(self.held.rest())
        return self.order.release(None)

    def _release(self, watermarks: dict[str, int] | None) -> list[Finding]:
        if watermarks is not None and not watermarks:
            return []
        released = self.state.release(watermarks)
        self.order.add(self.held.take(released))
        return [*released.findings, *released.repeated]


class PartitionFold:
    """One partition: its log, the time of its clusters, and the state of each part."""

    def __init__(
        self,
        log: PartitionLog,
        span: Span,
        parts: Sequence[Part],
        across: Sequence[Across],
        sides: Sequence[Side] = (),
    ) -> None:
        self.log = log
        self.events = 0
        self.late = 0
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.days: set[str] = set()
        self.evicted: Counter[str] = Counter()
        self._span = span
        self._newest_us: dict[str, int] = {}
        self._foldings = [_Folding(*pair) for pair in zip(parts, across, strict=True)]
        self._learning = [Learning(side) for side in sides]
        self._batches = log.batches()
        self._begin_us = unix_us(log.begin)

    @property
    def frontier_us(self) -> int:
        """The newest time reached; before the first batch, where the log begins."""
        return max(self._newest_us.values(), default=self._begin_us)

    @property
    def watermark_us(self) -> int:
        """The time that all clusters have passed but those that fell silent."""
        quiet_us = self.frontier_us - _QUIET_US
        spoken = [time for time in self._newest_us.values() if time >= quiet_us]
        return max(min(spoken, default=self._begin_us) - LATENESS_US, 0)

    @property
    def has_passed_end(self) -> bool:
        """Whether any cluster was heard of after the span."""
        return self.frontier_us >= unix_us(self._span.end)

    def step(self) -> tuple[int, Found] | None:
        """Fold the next batch; return the rows read and what was found; None at the end."""
        batch = next(self._batches, None)
        if batch is None:
            return None
        late = self._mark(batch.events)
        if not batch.folds:
            return 0, [[] for _ in (*self._foldings, *self._learning)]
        wanted = self.log.wanted
        inside = pl.col(_TIME).is_between(wanted.first, wanted.end, closed="left")
        # A verdict takes effect at its place in the log, whatever its author's clock said.
        inside |= pl.col(_DATASET).eq_missing(VERDICTS)
        rows = batch.events.select(inside).to_series()
        events = batch.events if rows.all() else batch.events.filter(rows)
        self._fold(events, late.filter(rows))
        marks = {name: time - LATENESS_US for name, time in self._newest_us.items()}
        until_us = self.watermark_us
        told = [one.release(marks, until_us) for one in self._foldings]
        found = [one.found[0] for one in self._foldings]
        return batch.rows, [
            *told,
            *(one.release(marks, until_us, found) for one in self._learning),
        ]

    def finish(self) -> Found:
        """Fold what is left: the log ends here, or the span does."""
        for batch in self.log.times_after():
            if all(time >= unix_us(self._span.end) for time in self._newest_us.values()):
                break
            self._mark(batch.events)
        end_us = unix_us(self._span.end)
        passed = {name: end_us for name, time in self._newest_us.items() if time >= end_us}
        told = [one.finish(passed) for one in self._foldings]
        found = [one.found for one in self._foldings]
        told += [one.finish(passed, found) for one in self._learning]
        for folding in self._foldings:
            self.evicted.update(folding.state.evicted)
        for learning in self._learning:
            self.evicted.update(learning.state.evicted)
        return told

    def _fold(self, events: pl.DataFrame, late: pl.Series) -> None:
        if events.is_empty():
            return
        self.events += events.height
        self.late += int(late.sum())
        times = events[_TIME]
        told = times.filter(events[_DATASET].ne_missing(VERDICTS))
        first, last = told.min(), told.max()
        if isinstance(first, datetime) and isinstance(last, datetime):
            self.first = min(first, self.first or first)
            self.last = max(last, self.last or last)
        asked = told.filter(told.is_between(self._span.start, self._span.end, closed="left"))
        self.days |= {str(day) for day in asked.dt.date().unique()}
        live = times >= told_from(self._span.start)
        flagged = [one.take(events, late, live) for one in self._foldings]
        for learning in self._learning:
            learning.take(events, late, flagged)

    def _mark(self, events: pl.DataFrame) -> pl.Series:
        """Return which events lie behind the newest before them by more than the lateness.

        Verdicts move no time, as in the service (worker/cluster_memory.py).
        """
        marked = events.select(
            _CLUSTER, _DATASET, pl.col(_TIME).to_physical().alias("time")
        ).with_columns(
            pl.col(_CLUSTER)
            .replace_strict(self._newest_us, default=0, return_dtype=pl.Int64)
            .alias("before"),
            pl.when(pl.col(_DATASET).ne_missing(VERDICTS))
            .then("time")
            .cum_max()
            .forward_fill()
            .over(_CLUSTER)
            .alias("newest"),
        )
        newest = pl.max_horizontal("before", "newest")
        for name, time in marked.group_by(_CLUSTER).agg(newest.max().alias("time")).iter_rows():
            self._newest_us[name] = time
        return marked.select((newest - pl.col("time") > LATENESS_US).alias("late"))["late"]
