"""What a scrape says: valid exposition, from the closed list, with bounded labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse

from ingest.collectors.counts import CollectorCounts
from worker import metric_list
from worker.counts import LearnedState, SignalOutcomes, StepStage, WorkerCounts
from worker.metric_list import METRICS, Metric, MetricKind
from worker.metrics import (
    Sample,
    UnlistedMetricError,
    bulk_samples,
    collector_samples,
    correlate_samples,
    learned_samples,
    metrics_page,
    metrics_registry,
    sent_samples,
    worker_samples,
)

TIME = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Bulk:
    created: int = 1
    repeated: int = 2
    retried: int = 3
    split: int = 4
    bisected: int = 5
    poisoned: int = 6
    outofrange: int = 7


def busy_worker() -> WorkerCounts:
    return WorkerCounts(
        records=10,
        quarantined=Counter({"not-json": 2}),
        findings=Counter({"rule-1": 3}),
        last_batch=40.0,
        stage_seconds={StepStage.DETECT: 1.5},
        stage_cpu_seconds={StepStage.DETECT: 1.25},
        retries=Counter({"elasticsearch": 1}),
        wait_seconds={"elasticsearch": 2.0},
        evictions=Counter({"repeats": 4}),
        excepted=Counter({"tw.yml:3": 2}),
        reloads=Counter({"loaded": 1}),
        lag={0: 7},
        position={0: 8},
        committed={0: 6},
        cluster_share={"prod": 0.5},
        sources={("prod", "host", "/var/log/audit.log"): TIME},
        clock_off_s={("prod", "host"): -3.0},
        alarms=Counter({"source-silent": 1}),
        silent=Counter({"profile/2": 3}),
        verdicts=Counter({"benign": 2}),
        learned={
            0: LearnedState(waiting=5, rows=600, thresholds={"prod": 40.5}, drift={"prod": 0.1}),
            1: LearnedState(waiting=0, rows=1, thresholds={}, drift={"test": 0.3}),
        },
    )


def all_samples() -> Iterator[Sample]:
    yield from worker_samples(busy_worker(), 42.0)
    yield from learned_samples(busy_worker())
    yield from collector_samples(
        CollectorCounts(refused=Counter({"not-json": 1}), last_canary=TIME, last_record=TIME)
    )
    yield from bulk_samples(Bulk())
    yield from sent_samples(5)
    yield from correlate_samples(
        WorkerCounts(lag={3: 9}), SignalOutcomes(late=2, missing=1, watermark_us=3_500_000)
    )


def scrape(*sources: Iterable[Sample]) -> dict[tuple[str, tuple[str, ...]], float]:
    given = [list(source) for source in sources]
    text = generate_latest(metrics_registry("1.2.3", [one.copy for one in given]))
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in parse(text.decode())
        for sample in family.samples
    }


def test_a_scrape_reads_the_counters_of_that_moment() -> None:
    counts = WorkerCounts()
    registry = metrics_registry("1", [lambda: worker_samples(counts, 0.0)])
    counts.records = 41
    counts.records += 1
    assert registry.get_sample_value("trailwarden_records_total") == 42


def test_values_arrive_under_their_names_and_labels() -> None:
    found = scrape(list(all_samples()))
    assert found["trailwarden_build_info", ("1.2.3",)] == 1
    assert found["trailwarden_findings_total", ("rule-1",)] == 3
    assert found["trailwarden_stage_seconds_total", ("detect",)] == 1.5
    assert found["trailwarden_last_batch_age_seconds", ()] == 2.0
    assert found["trailwarden_lag_records", ("0",)] == 7
    source = ("prod", "host", "/var/log/audit.log")
    canary = found["trailwarden_source_canary_timestamp_seconds", source]
    assert canary == TIME.timestamp()
    assert found["trailwarden_elasticsearch_documents_total", ("repeated",)] == 2
    assert found["trailwarden_elasticsearch_bulk_repairs_total", ("bisected",)] == 5
    assert found["trailwarden_collector_refused_total", ("not-json",)] == 1
    assert found["trailwarden_signals_sent_total", ()] == 5
    assert found["trailwarden_signals_total", ("late",)] == 2
    assert found["trailwarden_signals_lag_messages", ("3",)] == 9
    assert found["trailwarden_signals_unread_partitions", ()] == 1
    assert found["trailwarden_signals_watermark_timestamp_seconds", ()] == 3.5
    assert found["trailwarden_learned_waiting", ("0",)] == 5
    assert found["trailwarden_learned_rows", ("1",)] == 1
    assert found["trailwarden_learned_threshold_bits", ("prod",)] == 40.5
    assert found["trailwarden_learned_drift", ("test",)] == 0.3
    assert found["trailwarden_silent_findings_total", ("profile/2",)] == 3
    assert found["trailwarden_verdicts_total", ("benign",)] == 2


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_exposition_parses_and_holds_nothing_outside_the_list(*, openmetrics: bool) -> None:
    registry = metrics_registry("1", [all_samples])
    generate, read = (
        (generate_openmetrics, parse_openmetrics) if openmetrics else (generate_latest, parse)
    )
    families = list(read(generate(registry).decode()))
    listed = {metric.name: metric for metric in METRICS}
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert family.documentation == listed[name].help
        assert family.type == listed[name].kind.value
        for sample in family.samples:
            assert tuple(sample.labels) == listed[name].labels
    assert len(families) == len({family.name for family in families})


def test_every_listed_metric_of_a_worker_and_a_collector_is_filled_by_somebody() -> None:
    elsewhere = {
        metric_list.NOTIFICATIONS,
        metric_list.GROUP_MEMBERS,
        metric_list.GROUP_LAG,
        metric_list.GROUP_SILENT,
    }
    filled = {metric for metric, _, _ in all_samples()} | {metric_list.BUILD}
    assert filled | elsewhere == set(METRICS) - set(metric_list.PROCESS)


@pytest.mark.parametrize(
    "sample",
    [
        (Metric("trailwarden_new_total", MetricKind.COUNTER, "-", "-"), (), 1.0),
        (metric_list.RECORDS, ("a label too many",), 1.0),
        (metric_list.FINDINGS, (), 1.0),
    ],
)
def test_a_sample_outside_the_list_is_a_bug(sample: Sample) -> None:
    with pytest.raises(UnlistedMetricError, match=sample[0].name):
        scrape([sample])


def test_labels_are_capped_and_nothing_is_lost_from_the_sum() -> None:
    counts = WorkerCounts(
        findings=Counter({f"r{n}": 1 for n in range(1_000)}),
        cluster_share={f"c{n}": n / 5_000 for n in range(5_000)},
    )
    found = scrape(list(worker_samples(counts, 0.0)))
    rules = {key[1][0]: value for key, value in found.items() if "findings" in key[0]}
    assert len(rules) == 201
    assert rules["other"] == 800
    clusters = {key[1][0]: value for key, value in found.items() if "share" in key[0]}
    assert len(clusters) == 1_001
    assert clusters["other"] == pytest.approx(4_999 / 5_000)  # of gauges the largest


def test_two_sources_of_one_series_are_added_up() -> None:
    found = scrape(
        collector_samples(CollectorCounts(records=2)), [(metric_list.COLLECTOR_RECORDS, (), 3.0)]
    )
    assert found["trailwarden_collector_records_total", ()] == 5


def test_hostile_labels_forge_no_line() -> None:
    hostile = 'x"} 1\ntrailwarden_events_total 99\n# \\ \udcff'
    found = scrape([(metric_list.CLUSTER_SHARE, (hostile,), 0.5)])
    assert found["trailwarden_cluster_share", (hostile.replace("\udcff", "?"),)] == 0.5
    assert ("trailwarden_events_total", ()) not in found


def test_names_follow_prometheus_rules_and_are_unique() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert metric.name.startswith(("trailwarden_", "process_"))
        assert metric.name.replace("_", "a").isalnum()
        assert metric.name.endswith("_total") == (metric.kind is MetricKind.COUNTER)


def test_the_page_has_a_row_per_metric() -> None:
    rows = [line for line in metrics_page().splitlines() if line.startswith("| `")]
    assert len(rows) == len(METRICS)
    assert all(row.count("|") == 6 for row in rows)
