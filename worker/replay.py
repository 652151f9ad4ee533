"""Rules, other rules and an archive in; what the ones would have found and the others not, out.

Separate from the service although it is the same step: it reads segments instead of Kafka, begins
with an empty state as long before the span as windows reach, and writes two files and a summary
instead of any index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

from ingest.unix_time import unix_us
from sinks.archive.listing import partitions
from worker.replay_comparison import Comparison, RuleCounts
from worker.replay_fold import Across, Found, PartitionFold
from worker.replay_learning import sides_of
from worker.replay_log import PartitionLog, Wanted, partition_log
from worker.replay_parts import Part, parts_of
from worker.replay_span import BEGINNING, Span, before, columns_of, memory_of, read_from

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from detectors.finding import Finding
    from detectors.ruleset import Ruleset
    from sinks.archive.row_groups import Unread
    from worker.replay_learning import Side

Progress = Callable[[int, int], None]
"""Told the rows read since it was last told, and all rows that will be read."""

_NOTHING: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What is replayed, and where the results go.

    ``memory``: how long before the span events are folded; None: as long as the rules need.
    ``learning_time``: as the rulesets were put together with.
    """

    archive: Path
    topic: str
    out: Path
    span: Span = field(default_factory=Span)
    memory: timedelta | None = None
    learning_time: bool = True


@dataclass(slots=True)
class ReplayResult:
    """What was found and what it took."""

    span: Span
    compared: bool
    memory_needed: timedelta
    is_memory_cut: bool
    """Whether less was folded before the span than the rules need."""
    columns: int = 0
    """Columns read, of all that events have."""
    rules: dict[str, RuleCounts] = field(default_factory=dict)
    events: int = 0
    late: int = 0
    first: datetime | None = None
    last: datetime | None = None
    """Of the events that were folded, those before the span included."""
    days: set[str] = field(default_factory=set)
    """Days of the span that have events."""
    unread: list[Unread] = field(default_factory=list)
    evicted: Counter[str] = field(default_factory=Counter)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def recorded(self) -> timedelta:
        """The time that the folded events took when they were recorded."""
        return self.last - self.first if self.first and self.last else _NOTHING


def replay(
    settings: ReplaySettings, new: Ruleset, old: Ruleset | None, progress: Progress
) -> ReplayResult:
    """Fold the archive with both rulesets in one pass.

    Parameters
        new, old: loaded for the same site; ``old`` None: everything found is gained.
        progress: called once for each batch.

    Raises
        OSError: a result cannot be written. What cannot be read is in the result.
    """
    began, used = perf_counter(), process_time()
    parts = parts_of(new, old, learning_time=settings.learning_time)
    sides = sides_of(parts, new, old)
    rulesets = [part.rules for part in parts]
    needed = memory_of(rulesets)
    memory = needed if settings.memory is None else settings.memory
    span = settings.span
    wanted = Wanted(
        read_from(span, memory),
        span.end,
        before(span.start, needed),
        span.clusters,
        tuple(columns_of([*rulesets, *(side.rules for side in sides)])),
    )
    numbers = partitions(settings.archive, settings.topic)
    logs = [partition_log(settings.archive, settings.topic, number, wanted) for number in numbers]
    is_cut = span.start > BEGINNING and bool(needed)
    is_cut &= memory < needed or not any(log.is_whole for log in logs)
    result = ReplayResult(span, old is not None, needed, is_cut, len(wanted.columns))
    with Comparison(settings.out, span) as comparison:
        _Run(parts, sides, comparison, result).fold(logs, progress)
        comparison.publish()
        result.rules = comparison.rules
        result.evicted["comparison"] += comparison.evicted
    result.evicted += Counter()  # drops what is zero
    result.wall_s, result.cpu_s = perf_counter() - began, process_time() - used
    return result


class _Run:
    """All partitions, the one that is furthest behind first, so that clusters go side by side."""

    def __init__(
        self,
        parts: Sequence[Part],
        sides: Sequence[Side],
        comparison: Comparison,
        result: ReplayResult,
    ) -> None:
        self.parts = parts
        self.sides = sides
        self.comparison = comparison
        self.result = result
        self.across = [Across(part) for part in parts]

    def fold(self, logs: Sequence[PartitionLog], progress: Progress) -> None:
        total = sum(log.rows for log in logs)
        active = [
            PartitionFold(log, self.result.span, self.parts, self.across, self.sides)
            for log in logs
        ]
        has_passed_end = False
        while active:
            one = min(active, key=lambda one: one.frontier_us)
            step = one.step()
            if step is None:
                active.remove(one)
                self._compare(one.finish())
                self._account(one)
                has_passed_end |= one.has_passed_end
            else:
                rows, found = step
                self._compare(found)
                progress(rows, total)
            if active:
                watermark_us = min(one.watermark_us for one in active)
                self._compare([state.release(watermark_us) for state in self.across])
        end_us = unix_us(self.result.span.end)
        if has_passed_end:
            self._compare([state.release(end_us) for state in self.across])
        self._compare([state.release(None) for state in self.across])
        for state in self.across:
            self.result.evicted.update(state.state.evicted)

    def _compare(self, found: Found) -> None:
        new: list[Finding] = []
        old: list[Finding] = []
        # Of what is across clusters there are only parts.
        counted: list[Part | Side] = [*self.parts, *self.sides]
        for part, findings in zip(counted, found, strict=False):
            if part.is_new and part.is_old:
                self.comparison.add_both(findings)
            else:
                (new if part.is_new else old).extend(findings)
        self.comparison.add(new, old)

    def _account(self, one: PartitionFold) -> None:
        result = self.result
        result.events += one.events
        result.late += one.late
        result.days |= one.days
        result.unread += one.log.unread
        result.evicted.update(one.evicted)
        if one.first and one.last:
            result.first = min(one.first, result.first or one.first)
            result.last = max(one.last, result.last or one.last)
