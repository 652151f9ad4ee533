"""Counters of a worker."""

from __future__ import annotations

from collections import Counter

import pytest

from worker.cluster_rate import CLUSTERS, ClusterRate
from worker.counts import StepStage, WorkerCounts


def test_time_is_counted_by_stage_also_when_the_stage_fails() -> None:
    counts = WorkerCounts()
    with pytest.raises(ZeroDivisionError), counts.timed(StepStage.DETECT):
        _ = sum(range(20_000)) / 0
    first = counts.stage_seconds[StepStage.DETECT]
    assert first > 0
    assert counts.stage_cpu_seconds[StepStage.DETECT] >= 0
    with counts.timed(StepStage.DETECT):
        pass
    assert counts.stage_seconds[StepStage.DETECT] > first


def test_waiting_for_records_is_not_work() -> None:
    counts = WorkerCounts(stage_seconds={StepStage.POLL: 50.0, StepStage.WRITE: 2.0})
    assert counts.busy_s == 2.0


def test_a_batch_a_wait_and_a_lost_partition_are_counted() -> None:
    counts = WorkerCounts(lag={1: 5, 2: 6}, position={1: 9}, committed={1: 8, 2: 0})
    counts.add_batch(100, 7.0)
    counts.add_batch(50, 8.0)
    counts.add_wait("elasticsearch", 1.5)
    counts.add_wait("elasticsearch", 0.5)
    counts.forget(1)
    assert (counts.records, counts.batches, counts.batch_records) == (150, 2, 50)
    assert counts.last_batch == 8.0
    assert counts.retries == {"elasticsearch": 2}
    assert counts.wait_seconds == {"elasticsearch": 2.0}
    assert (counts.lag, counts.position, counts.committed) == ({2: 6}, {}, {2: 0})


def test_a_clusters_share_is_the_workers_time_it_takes() -> None:
    rate = ClusterRate(now=0.0, busy_s=10.0, window_s=60.0)
    rate.observe("big", 900)
    rate.observe("small", 100)
    assert rate.due(59.9, 10.0) is None
    shares = rate.due(60.0, 10.0 + 48.0)  # 48 of 60 seconds at work
    assert shares is not None
    assert list(shares) == ["big", "small"]
    assert list(shares.values()) == pytest.approx([0.72, 0.08])
    assert rate.due(120.0, 58.0) == {}  # a new window, without the old records


def test_clusters_beyond_the_limit_are_counted_together() -> None:
    rate = ClusterRate(now=0.0, window_s=1.0)
    for number in range(CLUSTERS + 500):
        rate.observe(f"c{number}", 1)
    shares = rate.due(1.0, 1.0)
    assert shares is not None
    assert len(shares) == CLUSTERS + 1
    assert shares["other"] == pytest.approx(500 / (CLUSTERS + 500))


def test_what_a_partition_counts_by_itself_is_added_whoever_goes_on_with_it() -> None:
    counts = WorkerCounts()
    for note, total in (
        (counts.note_verdicts, counts.verdicts),
        (counts.note_evicted, counts.evictions),
    ):
        for partition, now in ((0, 2), (1, 5), (0, 3), (0, 3)):
            note(partition, Counter({"benign": now}))
        assert total == {"benign": 8}
        counts.forget(0)
        note(0, Counter({"benign": 1}))
        assert total == {"benign": 9}
