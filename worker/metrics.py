"""Plain counters in, Prometheus samples out, at the moment somebody asks.

Separate so that the loop, the collectors and the sinks know no metrics library: they raise numbers,
and this reads them. Each of the functions that end in ``_samples`` reads one kind of counters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Protocol

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from worker import metric_list as m

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from ingest.collectors.counts import CollectorCounts
    from sinks.notify import Notifier
    from worker.counts import SignalOutcomes, WorkerCounts

Sample = tuple[m.Metric, tuple[str, ...], float]
"""A metric, the values of its labels in the list's order, and the value."""

Samples = Callable[[], Iterable[Sample]]
"""Called at each scrape; must only read."""

Series = dict[tuple[str, ...], float]
"""The values of one metric by the values of its labels."""

Family = CounterMetricFamily | GaugeMetricFamily


class BulkCounts(Protocol):
    """What the Elasticsearch writer counts."""

    created: int
    repeated: int
    retried: int
    split: int
    bisected: int
    poisoned: int
    outofrange: int


class UnlistedMetricError(Exception):
    """A sample of a metric that is not in the list, or with other labels: a bug."""


def metrics_registry(version: str, sources: Sequence[Samples]) -> CollectorRegistry:
    """Return a registry that asks ``sources`` for their samples at each scrape.

    A source is called on the thread that answers the scrape; it must only read.
    """
    registry = CollectorRegistry()
    registry.register(_Scrape(version, sources))
    ProcessCollector(registry=registry)
    return registry


class _Scrape:
    """prometheus_client's custom collector: one call of ``collect`` per scrape."""

    __slots__ = ("_sources", "_version")

    def __init__(self, version: str, sources: Sequence[Samples]) -> None:
        self._version = version
        self._sources = sources

    def describe(self) -> list[Family]:
        """Nothing: so that registering does not call the sources."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield one family per metric that has samples."""
        series: dict[m.Metric, Series] = defaultdict(dict)
        series[m.BUILD][self._version,] = 1.0
        for source in self._sources:
            for metric, labels, value in source():
                same = series[_listed(metric, labels)]
                same[labels] = _joined(metric, [same[labels], value]) if labels in same else value
        for metric in m.METRICS:
            if metric in series:
                yield _family(metric, series[metric])


_LISTED: Final = frozenset(m.METRICS)


def _listed(metric: m.Metric, labels: tuple[str, ...]) -> m.Metric:
    if metric not in _LISTED or len(labels) != len(metric.labels):
        raise UnlistedMetricError(f"{metric.name}{labels}: not in worker/metric_list.py")
    return metric


def _joined(metric: m.Metric, values: list[float]) -> float:
    return sum(values) if metric.kind is m.MetricKind.COUNTER else max(values)


def _family(metric: m.Metric, series: Series) -> Family:
    kind = CounterMetricFamily if metric.kind is m.MetricKind.COUNTER else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in _capped(metric, series).items():
        # A label may hold what a client sent; what UTF-8 cannot say must not fail the scrape.
        family.add_metric([text.encode(errors="replace").decode() for text in labels], value)
    return family


def _capped(metric: m.Metric, series: Series) -> Series:
    """Keep the first ``cap`` series, in the order they came to be; join the rest to one."""
    if len(series) <= metric.cap:
        return series
    kept = dict(islice(series.items(), metric.cap))
    rest = list(islice(series.values(), metric.cap, None))
    return {**kept, (m.OTHER,) * len(metric.labels): _joined(metric, rest)}


def worker_samples(counts: WorkerCounts, now: float) -> Iterator[Sample]:
    """Read a worker's counts; ``now`` is monotonic time."""
    plain = {
        m.RECORDS: counts.records,
        m.EXTRA_ITEMS: counts.extra,
        m.EVENTS: counts.events,
        m.REPEATS: counts.repeats,
        m.LATE: counts.late,
        m.CANARIES: counts.canaries,
        m.SALVAGED: counts.salvaged,
        m.UNWANTED: counts.unwanted,
        m.BATCHES: counts.batches,
        m.BATCH_RECORDS: counts.batch_records,
        m.CHECKPOINTS: counts.checkpoints,
        m.CHECKPOINT_SECONDS: counts.checkpoint_seconds,
        m.REBALANCES: counts.rebalances,
        m.STATE_BYTES: counts.state_bytes,
    }
    yield from ((metric, (), value) for metric, value in plain.items())
    if counts.last_batch is not None:
        yield m.LAST_BATCH_AGE, (), now - counts.last_batch
    labelled: dict[m.Metric, Mapping[Any, float]] = {
        m.QUARANTINED: counts.quarantined,
        m.FINDINGS: counts.findings,
        m.STAGE_SECONDS: counts.stage_seconds,
        m.STAGE_CPU_SECONDS: counts.stage_cpu_seconds,
        m.CLUSTER_SHARE: counts.cluster_share,
        m.LAG: counts.lag,
        m.POSITION: counts.position,
        m.COMMITTED: counts.committed,
        m.SINK_RETRIES: counts.retries,
        m.SINK_WAIT_SECONDS: counts.wait_seconds,
        m.EVICTIONS: counts.evictions,
        m.EXCEPTED: counts.excepted,
        m.RELOADS: counts.reloads,
        m.SILENT_FINDINGS: counts.silent,
        m.VERDICTS: counts.verdicts,
        m.ALARMS: counts.alarms,
    }
    for metric, values in labelled.items():
        yield from _by_label(metric, values)
    yield from (
        (m.SOURCE_CANARY, source, time.timestamp()) for source, time in dict(counts.sources).items()
    )
    yield from ((m.CLOCK_OFF, key, off_s) for key, off_s in dict(counts.clock_off_s).items())


def learned_samples(counts: WorkerCounts) -> Iterator[Sample]:
    """Read what the learned detectors of a worker's partitions hold."""
    for partition, state in dict(counts.learned).items():
        yield m.LEARNED_WAITING, (str(partition),), state.waiting
        yield m.LEARNED_ROWS, (str(partition),), state.rows
        yield from _by_label(m.LEARNED_THRESHOLD, state.thresholds)
        yield from _by_label(m.LEARNED_DRIFT, state.drift)


def sent_samples(signals: int) -> Iterator[Sample]:
    """Read how many signals a worker sent."""
    yield m.SIGNALS_SENT, (), signals


def correlate_samples(counts: WorkerCounts, outcomes: SignalOutcomes) -> Iterator[Sample]:
    """Read the counts of a member with the role `correlate`."""
    for outcome in ("folded", "repeated", "late", "unknown", "unreadable"):
        yield m.SIGNALS, (outcome,), getattr(outcomes, outcome)
    yield m.SIGNALS_UNREAD, (), outcomes.missing
    yield m.SIGNALS_WATERMARK, (), outcomes.watermark_us / 1_000_000
    labelled: dict[m.Metric, Mapping[Any, float]] = {
        m.SIGNALS_LAG: counts.lag,
        m.FINDINGS: counts.findings,
        m.QUARANTINED: counts.quarantined,
        m.SINK_RETRIES: counts.retries,
        m.SINK_WAIT_SECONDS: counts.wait_seconds,
        m.EVICTIONS: counts.evictions,
        m.EXCEPTED: counts.excepted,
    }
    for metric, values in labelled.items():
        yield from _by_label(metric, values)


def collector_samples(counts: CollectorCounts) -> Iterator[Sample]:
    """Read a collector's counts."""
    plain = {
        m.COLLECTOR_RECORDS: counts.records,
        m.COLLECTOR_BYTES: counts.bytes,
        m.COLLECTOR_ACKNOWLEDGED: counts.acknowledged,
        m.COLLECTOR_FAILED: counts.failed,
        m.COLLECTOR_SALVAGED: counts.salvaged,
        m.COLLECTOR_CANARIES: counts.canaries,
        m.COLLECTOR_REQUESTS: counts.requests,
    }
    yield from ((metric, (), value) for metric, value in plain.items())
    yield from _by_label(m.COLLECTOR_REFUSED, counts.refused)
    yield from _timestamp(m.COLLECTOR_LAST_CANARY, counts.last_canary)
    yield from _timestamp(m.COLLECTOR_LAST_RECORD, counts.last_record)


def bulk_samples(counts: BulkCounts) -> Iterator[Sample]:
    """Read what the Elasticsearch writer counted."""
    for result in ("created", "repeated", "poisoned", "outofrange"):
        yield m.ELASTICSEARCH_DOCUMENTS, (result,), getattr(counts, result)
    for cause in ("retried", "split", "bisected"):
        yield m.ELASTICSEARCH_REQUESTS, (cause,), getattr(counts, cause)


def notifier_samples(notifier: Notifier) -> Iterator[Sample]:
    """Read what became of notifications."""
    for target, counts in notifier.counts().items():
        for result in ("sent", "failed", "dropped", "retried"):
            yield m.NOTIFICATIONS, (target, result), getattr(counts, result)


def _by_label(metric: m.Metric, values: Mapping[Any, float]) -> Iterator[Sample]:
    # The copy is one step for the interpreter: the writing thread cannot change it half-way.
    for label, value in dict(values).items():
        yield metric, (str(label),), value


def _timestamp(metric: m.Metric, time: datetime | None) -> Iterator[Sample]:
    if time is not None:
        yield metric, (), time.timestamp()


def metrics_page() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "<!-- Generated from worker/metric_list.py by `make docs`. Do not edit. -->",
        "",
        "Workers and collectors serve them at `/metrics` on `telemetry.host`:`telemetry.port`;",
        "each shows those that concern it. The list is closed. Of a label's values at most",
        f"{m.LABEL_CAP:,} are told apart ({m.RULE_CAP} rules), the rest is `{m.OTHER}`.",
        "",
        "| metric | type | labels | meaning | watch for |",
        "| --- | --- | --- | --- | --- |",
    ]
    for metric in m.METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        lines.append(
            f"| `{metric.name}` | {metric.kind.value} | {labels} | {metric.help} | {metric.watch} |"
        )
    return "\n".join(lines) + "\n"
