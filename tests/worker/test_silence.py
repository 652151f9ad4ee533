"""A source that goes quiet is told once, in time, and so is its return (P5, F20)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from ingest.envelope import Format
from sinks.alarm import Alarm, AlarmName
from worker import silence
from worker.silence import SilenceWatch, silence_record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
A = ("prod", "host-a", "/var/log/audit.log")
B = ("prod", "host-b", "/var/log/audit.log")
C = ("test", "webhook", "")


def run(
    watch: SilenceWatch, until_s: int, alive: dict[tuple[str, str, str], Sequence[int]]
) -> list[tuple[int, Alarm]]:
    """Step a second at a time; each source sends a canary at the seconds of its range."""
    told: list[tuple[int, Alarm]] = []
    for second in range(until_s):
        told += [(second, alarm) for alarm in watch.due(float(second), reading=True)]
        for source, canaries in alive.items():
            if second in canaries:
                alarm = watch.observe(source, NOON + timedelta(seconds=second))
                told += [(second, alarm)] if alarm else []
    return told


def test_each_source_that_stops_is_told_once_within_90_seconds_of_its_last_canary() -> None:
    watch = SilenceWatch(90.0, 0.0)
    told = run(watch, 900, {A: range(0, 900, 30), B: range(0, 300, 30), C: range(0, 400, 30)})
    assert [(second, alarm.cluster, alarm.subject) for second, alarm in told] == [
        (360, "prod", "host-b /var/log/audit.log"),
        (480, "test", "webhook"),
    ]
    first = told[0][1]
    assert first.name is AlarmName.SOURCE_SILENT
    assert not first.resolved
    assert first.since == NOON + timedelta(seconds=270)
    assert watch.silent() == [B, C]


def test_its_return_is_told_and_it_can_fall_silent_again() -> None:
    watch = SilenceWatch(90.0, 0.0)
    beats = [*range(0, 60, 30), *range(600, 660, 30)]
    told = run(watch, 900, {A: beats})
    assert [(second, alarm.resolved) for second, alarm in told] == [
        (120, False),
        (600, True),
        (720, False),
    ]
    assert len({alarm.key for _, alarm in told}) == 1


def test_a_worker_that_waits_accuses_nobody() -> None:
    watch = SilenceWatch(90.0, 0.0)
    watch.observe(A, NOON)
    assert watch.due(60.0, reading=True) == []
    assert watch.due(660.0, reading=False) == []  # ten minutes of waiting for Elasticsearch
    assert watch.due(689.0, reading=True) == []
    assert len(watch.due(690.0, reading=True)) == 1


def test_a_clock_that_steps_back_or_a_canary_of_the_future_changes_nothing() -> None:
    watch = SilenceWatch(90.0, 1_000.0)
    watch.observe(A, NOON + timedelta(days=3))
    assert watch.due(500.0, reading=True) == []
    assert len(watch.due(590.0, reading=True)) == 1


def test_sources_of_another_worker_are_forgotten_and_their_alarms_end() -> None:
    watch = SilenceWatch(90.0, 0.0)
    watch.observe(A, NOON, partition=1)
    watch.observe(C, NOON, partition=2)
    assert watch.keep([1, 2]) == []
    watch.due(90.0, reading=True)
    watch.observe(B, NOON, partition=1)
    ended = watch.keep([2])
    assert [(alarm.subject, alarm.resolved) for alarm in ended] == [
        ("host-a /var/log/audit.log", True)
    ]
    assert watch.silent() == [C]
    assert len(watch) == 1
    assert watch.due(1_000.0, reading=True) == []


def test_memory_is_bounded_and_evictions_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silence, "SOURCES", 100)
    watch = SilenceWatch(90.0, 0.0)
    for number in range(150):
        watch.observe(("c", "h", str(number)), NOON)
    assert (len(watch), watch.evicted) == (100, 50)
    assert len(watch.due(90.0, reading=True)) == 100


def test_a_source_gone_for_a_day_is_forgotten() -> None:
    watch = SilenceWatch(90.0, 0.0)
    watch.observe(A, NOON)
    watch.due(90.0, reading=True)
    watch.due(silence.FORGET_S, reading=True)
    assert len(watch) == 0


def test_silence_is_a_record_of_its_cluster() -> None:
    envelope, value = silence_record(A, NOON, "worker-1", NOON + timedelta(seconds=90))
    assert (envelope.cluster, envelope.collector, envelope.format) == (
        "prod",
        "worker-1",
        Format.SILENCE,
    )
    assert json.loads(value) == {
        "time": "2026-01-01T12:01:30Z",
        "since": "2026-01-01T12:00:00Z",
        "collector": "host-a",
        "source": "/var/log/audit.log",
    }
