"""Workers that stop or hang are told of by somebody else, within 90 seconds (P5, F20)."""

from __future__ import annotations

import queue
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from sinks.alarm import Alarm, AlarmName
from sinks.kafka_admin import GroupState
from worker.group_watch import GroupWatch, GroupWatcher
from worker.metric_list import GROUP_LAG, GROUP_MEMBERS, GROUP_SILENT

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SESSION_TIMEOUT_S = 45
INTERVAL_S = 10


def look(
    watch: GroupWatch, at_s: float, committed: int, *, lag: int = 5, members: int = 1
) -> Alarm | None:
    return watch.observe(GroupState(members, {0: committed}, {0: lag}), at_s, NOW)


def test_killed_workers_are_told_of_within_90_seconds() -> None:
    for phase in range(INTERVAL_S):  # wherever the kill falls between two looks
        watch = GroupWatch("g", 90.0, INTERVAL_S)
        for at_s in range(phase, 200, INTERVAL_S):
            members = int(at_s < SESSION_TIMEOUT_S)
            if alarm := look(watch, at_s, 1, lag=0, members=members):
                break
        assert alarm is not None
        assert at_s <= 90
        assert (alarm.name, alarm.subject) == (AlarmName.WORKER_SILENT, "g")
        assert "no members" in alarm.detail


def test_a_restart_of_all_workers_is_no_alarm() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    assert look(watch, 0, 1) is None
    assert look(watch, 10, 1, members=0) is None
    assert look(watch, 20, 1, members=0) is None
    assert look(watch, 30, 2) is None
    assert look(watch, 45, 2, members=0) is None


def test_a_worker_that_hangs_is_told_of_within_90_seconds_and_its_end_too() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    told = [(at_s, look(watch, at_s, 7)) for at_s in range(0, 150, INTERVAL_S)]
    fired = [(at_s, alarm) for at_s, alarm in told if alarm]
    assert [at_s for at_s, _ in fired] == [80]
    assert "1 partitions" in fired[0][1].detail
    assert watch.silent
    ended = look(watch, 150, 8)
    assert ended is not None
    assert ended.resolved
    assert ended.key == fired[0][1].key
    assert not watch.silent


def test_ordinary_checkpoints_every_minute_are_no_alarm() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    assert not any(look(watch, at_s, at_s // 60) for at_s in range(0, 3_600, INTERVAL_S))


def test_no_lag_no_alarm() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    assert not any(look(watch, at_s, 7, lag=0) for at_s in range(0, 3_600, INTERVAL_S))


def test_one_stuck_partition_among_moving_ones_is_seen() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    fired = [
        watch.observe(GroupState(2, {0: at_s, 1: 3}, {0: 9, 1: 9}), at_s, NOW)
        for at_s in range(0, 100, INTERVAL_S)
    ]
    assert [alarm.detail[:12] for alarm in fired if alarm] == ["1 partitions"]


def test_partitions_never_committed_count_too() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    fired = [
        watch.observe(GroupState(1, {}, {0: 9}), at_s, NOW) for at_s in range(0, 100, INTERVAL_S)
    ]
    assert any(fired)


def test_while_the_broker_was_away_nobody_was_silent() -> None:
    watch = GroupWatch("g", 90.0, INTERVAL_S)
    look(watch, 0, 7)
    watch.lost()
    assert look(watch, 600, 7) is None
    assert look(watch, 670, 7) is None
    assert look(watch, 680, 7) is not None


class Told:
    def __init__(self) -> None:
        self.alarms: queue.Queue[Alarm] = queue.Queue()

    def alarm(self, alarm: Alarm) -> None:
        self.alarms.put(alarm)


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": kafka})
    name = f"f-watch-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    yield name
    admin.delete_topics([name])[name].result(20)


@pytest.mark.integration
def test_the_watcher_sees_real_workers_stop_and_return(kafka: str, topic: str) -> None:
    config: dict[str, str | int | float | bool] = {"bootstrap.servers": kafka}
    producer = Producer(config)
    producer.produce(topic, b"x")
    assert producer.flush(20) == 0
    told = Told()
    watcher = GroupWatcher(dict(config), topic, topic, told, silence_s=1.0, interval_s=0.2)
    try:
        silent = told.alarms.get(timeout=20)
        assert (silent.name, silent.resolved) == (AlarmName.WORKER_SILENT, False)
        assert {metric: value for metric, _, value in watcher.samples()} == {
            GROUP_MEMBERS: 0,
            GROUP_LAG: 1,
            GROUP_SILENT: 1.0,
        }
        worker = Consumer(config | {"group.id": topic, "auto.offset.reset": "earliest"})
        worker.subscribe([topic])
        while (message := worker.poll(20.0)) is None or message.error():
            pass
        worker.commit(offsets=[TopicPartition(topic, 0, 1)], asynchronous=False)
        assert told.alarms.get(timeout=20).resolved
        worker.close()
        assert not told.alarms.get(timeout=20).resolved
    finally:
        watcher.close()


def test_a_broker_that_is_away_is_told_once_and_alarms_nobody() -> None:
    problems: queue.Queue[str] = queue.Queue()
    told = Told()
    watcher = GroupWatcher(
        {"bootstrap.servers": "127.0.0.1:1"},
        "g",
        "raw",
        told,
        silence_s=0.1,
        interval_s=0.1,
        on_problem=problems.put,
    )
    try:
        assert "127.0.0.1:1" in problems.get(timeout=20)
        assert list(watcher.samples()) == []
    finally:
        watcher.close()
    assert problems.empty()
    assert told.alarms.empty()
