"""What one worker counts while it runs: plain numbers that the run loop raises.

Separate so that the loop knows no metrics library: `worker.metrics` reads these values whenever
somebody asks for them. One thread writes, another reads; each value is replaced or added to in one
step, so that a reader sees an older or a newer number, never a torn one.
"""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

Source = tuple[str, str, str]
"""Cluster, collector, source: what sends canary records, and what can go quiet."""


class StepStage(StrEnum):
    """Stages of a step and its checkpoint, in their order."""

    POLL = "poll"
    NORMALIZE = "normalize"
    DETECT = "detect"
    ARCHIVE = "archive"
    WRITE = "write"
    CHECKPOINT = "checkpoint"


@dataclass(slots=True)
class SignalOutcomes:
    """What became of the messages of `signals` that are no word of how far `raw` was read.

    ``late``: behind the time of all clusters, which no window waits for; one that a crash had sent
    again is counted there as well. ``unknown``: of a correlation that is not loaded, or another one
    there. ``missing`` are the partitions of `raw` that hold time up, now.
    """

    folded: int = 0
    repeated: int = 0
    late: int = 0
    unknown: int = 0
    unreadable: int = 0
    missing: int = 0
    watermark_us: int = 0


@dataclass(frozen=True, slots=True)
class LearnedState:
    """What the learned detectors of a partition hold; ``thresholds`` and ``drift`` by cluster."""

    waiting: int
    rows: int
    thresholds: Mapping[str, float]
    drift: Mapping[str, float]


@dataclass(slots=True)
class WorkerCounts:
    """Counts since the worker began, and a few present values.

    ``records`` are messages of `raw`; ``extra`` are items beyond the first of a message that held
    a list. records + extra = events + repeats + quarantined + canaries + unwanted. ``late`` and
    ``salvaged`` are parts of events. ``findings`` counts by rule id, ``quarantined`` by reason,
    ``retries`` and ``wait_seconds`` by sink, ``evictions`` by memory. ``lag``, ``position`` and
    ``committed`` are present values by partition; one that is taken away is removed from all three.
    ``cluster_share`` is the part of this worker's time that one cluster takes (0 to 1, see
    `worker.cluster_rate`). ``sources`` is the time of each source's last canary, ``clock_off_s``
    how far a collector's clock is from the broker's, by (cluster, collector). ``last_batch`` is
    monotonic time, None before the first batch.
    """

    records: int = 0
    extra: int = 0
    events: int = 0
    repeats: int = 0
    late: int = 0
    canaries: int = 0
    salvaged: int = 0
    unwanted: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    batch_records: int = 0
    last_batch: float | None = None
    stage_seconds: dict[StepStage, float] = field(default_factory=dict)
    stage_cpu_seconds: dict[StepStage, float] = field(default_factory=dict)
    checkpoints: int = 0
    checkpoint_seconds: float = 0.0
    rebalances: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    wait_seconds: dict[str, float] = field(default_factory=dict)
    excepted: Counter[str] = field(default_factory=Counter)
    """Findings that an exception held back, by its place."""
    evictions: Counter[str] = field(default_factory=Counter)
    learned: dict[int, LearnedState] = field(default_factory=dict)
    """Of the learned detectors of each partition, as of its last checkpoint."""
    silent: Counter[str] = field(default_factory=Counter)
    """Findings of models that are only tried, by model."""
    reloads: Counter[str] = field(default_factory=Counter)
    """Times that rules were loaded anew while the worker ran, by outcome."""
    evicted_states: dict[int, Counter[str]] = field(default_factory=dict)
    """What is counted in ``evictions`` already of each partition's state over time."""
    verdicts: Counter[str] = field(default_factory=Counter)
    """Verdicts that changed what is learned, by choice; ``unknown``: of no effect."""
    verdict_states: dict[int, Counter[str]] = field(default_factory=dict)
    """What is counted in ``verdicts`` already, by partition."""
    state_bytes: int = 0
    lost_records: int = 0
    lag: dict[int, int] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    cluster_share: dict[str, float] = field(default_factory=dict)
    sources: dict[Source, datetime] = field(default_factory=dict)
    clock_off_s: dict[tuple[str, str], float] = field(default_factory=dict)
    alarms: Counter[str] = field(default_factory=Counter)

    @property
    def busy_s(self) -> float:
        """Time spent at work, that is, not waiting for records."""
        seconds = self.stage_seconds.copy()
        seconds.pop(StepStage.POLL, None)
        return sum(seconds.values())

    @contextmanager
    def timed(self, stage: StepStage) -> Iterator[None]:
        """Count wall and CPU time (of all threads: Polars has its own) while the body runs."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self._add(self.stage_seconds, stage, time.perf_counter() - wall)
            self._add(self.stage_cpu_seconds, stage, time.process_time() - cpu)

    def add_batch(self, records: int, now: float) -> None:
        """Count a batch of ``records`` messages, taken at monotonic time ``now``."""
        self.batches += 1
        self.batch_records = records
        self.records += records
        self.last_batch = now

    def add_wait(self, sink: str, seconds: float) -> None:
        """Count a wait that a sink asked for."""
        self.retries[sink] += 1
        self.wait_seconds[sink] = self.wait_seconds.get(sink, 0.0) + seconds

    def note_evicted(self, partition: int, evicted: Counter[str]) -> None:
        """Count what a partition's state over time dropped to stay within its bound."""
        _note(self.evictions, self.evicted_states, partition, evicted)

    def note_verdicts(self, partition: int, taken: Counter[str]) -> None:
        """Count what a partition's learned detector did with verdicts since it began."""
        _note(self.verdicts, self.verdict_states, partition, taken)

    def forget(self, partition: int) -> None:
        """Drop the present values of a partition that is another worker's now."""
        present = (self.lag, self.position, self.committed, self.learned)
        for values in (*present, self.evicted_states, self.verdict_states):
            values.pop(partition, None)

    @staticmethod
    def _add(seconds: dict[StepStage, float], stage: StepStage, passed: float) -> None:
        seconds[stage] = seconds.get(stage, 0.0) + passed


def _note(
    total: Counter[str], states: dict[int, Counter[str]], partition: int, now: Counter[str]
) -> None:
    """Add to a total what a partition's own count grew by."""
    counted = states.get(partition, Counter())
    if now != counted:
        total.update(now - counted)
        states[partition] = now.copy()
