"""Collectors whose clock is off beyond 5 minutes are told of (F14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sinks.alarm import Alarm, AlarmName
from worker.clock_watch import ClockWatch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def windows(watch: ClockWatch, *offs: list[float], start: int = 1) -> list[list[Alarm]]:
    """One window per list; each number is a record whose collector's clock is off by it."""
    told = []
    for number, records in enumerate(offs, start):
        for off_s in records:
            watch.observe("prod", "host", NOON + timedelta(seconds=off_s), NOON)
        told.append(watch.due(60.0 * number, NOON)[1])
    return told


def test_a_clock_ahead_is_told_once_and_its_end_too() -> None:
    first, second, third, fourth = windows(ClockWatch(0.0), [301.0], [86_400.0 * 3], [0.0], [0.0])
    (alarm,) = first
    assert alarm.name is AlarmName.SOURCE_CLOCK_OFF
    assert (alarm.cluster, alarm.subject) == ("prod", "host")
    assert "301 s ahead of" in alarm.detail
    assert second == fourth == []
    assert [alarm.resolved for alarm in third] == [True]


def test_a_clock_behind_is_told_when_no_record_of_two_windows_is_fresh() -> None:
    told = windows(ClockWatch(0.0), [-3_600.0], [-3_600.0, -3_601.0], [-1.0])
    assert told[0] == []
    assert "3600 s behind" in told[1][0].detail
    assert told[2][0].resolved


def test_five_minutes_are_still_right_either_way() -> None:
    assert windows(ClockWatch(0.0), [300.0], [-300.0], [-300.0]) == [[], [], []]


def test_records_that_waited_for_the_broker_are_no_wrong_clock() -> None:
    backlog = [-3_600.0, -1_800.0, -600.0, -2.0]
    assert windows(ClockWatch(0.0), backlog, backlog, [-3_600.0], [-1.0]) == [[], [], [], []]


def test_a_quiet_window_neither_raises_nor_ends_an_alarm() -> None:
    told = windows(ClockWatch(0.0), [400.0], [], [400.0], [0.0])
    assert [len(alarms) for alarms in told] == [1, 0, 0, 1]


def test_differences_are_told_once_per_window() -> None:
    watch = ClockWatch(0.0)
    watch.observe("prod", "host", NOON, NOON + timedelta(seconds=2))
    watch.observe("prod", "host", NOON, NOON + timedelta(seconds=9))
    assert watch.due(59.9, NOON) == ({}, [])
    assert watch.due(60.0, NOON) == ({("prod", "host"): -2.0}, [])
    assert watch.due(120.0, NOON) == ({}, [])
