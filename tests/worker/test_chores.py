"""What a worker does beside its loop: limits, alarms with their ends, silence, retention."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from ingest.collectors.canary import read_canary
from ingest.collectors.producer import ProducerFullError
from ingest.envelope import Envelope, Format
from ingest.sources.kafka import Record
from sinks.alarm import Alarm, AlarmName
from tests.worker.messages import NOON, audit_event, canary, message
from worker.chores import Chores, QuarantineLimit, QuarantineLimitError
from worker.counts import StepStage, WorkerCounts

SOURCE = ("blue", "collector", "audit.log")


class Sender:
    """The log that silence records are appended to."""

    def __init__(self) -> None:
        self.log: list[tuple[Envelope, bytes]] = []
        self.polls = 0
        self.is_full = False

    def send(
        self, envelope: Envelope, value: bytes, on_delivery: Callable[[str | None], None]
    ) -> None:
        if self.is_full:
            raise ProducerFullError
        self.log.append((envelope, value))
        on_delivery(None)

    def poll(self, timeout_s: float) -> None:
        assert timeout_s == 0.0
        self.polls += 1


class Rig:
    def __init__(self) -> None:
        self.counts = WorkerCounts()
        self.told: list[Alarm] = []
        self.sender = Sender()
        self.retained = 0
        self.chores = Chores(
            "worker-1",
            self.counts,
            self,
            self.sender,
            silence_s=90.0,
            apply_retention=self.retain,
            now_s=0.0,
        )

    def alarm(self, alarm: Alarm) -> None:
        self.told.append(alarm)

    def retain(self) -> None:
        self.retained += 1

    def names(self) -> list[tuple[AlarmName, str, bool]]:
        return [(one.name, one.subject, one.resolved) for one in self.told]


def windows(share: float, window: int, *batches: tuple[int, int]) -> int:
    """Return after how many batches the limit stops, 0 if it does not."""
    limit = QuarantineLimit(share, window)
    for number, (records, refused) in enumerate(batches, 1):
        try:
            limit.observe(records, refused)
        except QuarantineLimitError:
            return number
    return 0


@pytest.mark.parametrize(
    ("batches", "stops"),
    [
        ([(100, 50)], 0),
        ([(100, 51)], 1),
        ([(99, 99)], 0),
        ([(99, 99), (1, 0)], 2),
        ([(50, 50), (50, 0), (50, 50), (50, 0)], 0),
        ([(50, 0), (50, 0), (50, 50), (50, 1)], 4),
        ([(300, 150), (100, 51)], 2),
        ([(0, 0), (1, 5), (99, 46)], 3),
    ],
)
def test_a_full_window_of_which_more_than_the_share_was_refused_stops(
    batches: list[tuple[int, int]], stops: int
) -> None:
    assert windows(0.5, 100, *batches) == stops


def test_the_limit_may_be_none_or_nothing() -> None:
    assert windows(1.0, 10, (10, 10)) == 0
    assert windows(0.0, 10, (10, 0)) == 0
    assert windows(0.0, 10, (10, 1)) == 1


def test_the_limits_message_says_numbers_and_what_to_look_at() -> None:
    with pytest.raises(QuarantineLimitError) as caught:
        QuarantineLimit(0.25, 1_000).observe(2_000, 501)
    assert all(
        text in str(caught.value)
        for text in ("501 of the last 2,000", "worker.quarantine_share (0.25)", "quarantine list")
    )


def test_a_sink_that_waits_for_a_minute_is_an_alarm_told_once() -> None:
    rig = Rig()
    rig.chores.waiting("elasticsearch", "busy", 100.0)
    rig.chores.waiting("elasticsearch", "busy", 159.9)
    assert rig.told == []
    rig.chores.waiting("elasticsearch", "still " + "x" * 900, 160.0)
    rig.chores.waiting("elasticsearch", "busy", 500.0)
    (alarm,) = rig.told
    assert (alarm.name, alarm.subject, alarm.resolved) == (
        AlarmName.ELASTICSEARCH_BLOCKED,
        "elasticsearch",
        False,
    )
    assert alarm.detail.startswith("elasticsearch takes nothing for 60 s: still x")
    assert len(alarm.detail) == 500
    assert rig.counts.alarms == {AlarmName.ELASTICSEARCH_BLOCKED.value: 1}


def test_a_blocked_alarm_ends_when_everything_flows_and_counting_begins_anew() -> None:
    rig = Rig()
    for now_s in (0.0, 60.0):
        rig.chores.waiting("elasticsearch", "busy", now_s)
        rig.chores.waiting("quarantine", "busy", max(now_s, 30.0))
    rig.chores.flowing()
    rig.chores.flowing()
    began, ended = rig.told
    assert (ended.name, ended.subject, ended.resolved) == (began.name, "elasticsearch", True)
    assert ended.since == began.since
    assert ended.id == began.id
    rig.chores.waiting("elasticsearch", "busy", 70.0)
    rig.chores.waiting("elasticsearch", "busy", 129.0)
    assert len(rig.told) == 2
    assert rig.counts.alarms.total() == 1


def test_a_cluster_near_its_ceiling_is_an_alarm_until_it_is_not() -> None:
    rig = Rig()

    def window(number: int, busy_s: float, blue: int, red: int) -> None:
        records = [message(n, b"", cluster="blue") for n in range(blue)]
        records += [message(n, b"", cluster="red") for n in range(red)]
        rig.chores.observe(records)
        seconds = rig.counts.stage_seconds.get(StepStage.DETECT, 0.0)
        rig.counts.stage_seconds[StepStage.DETECT] = seconds + busy_s
        rig.chores.tick(60.0 * number, [0], reading=True)

    window(1, 60.0, 69, 31)
    assert rig.counts.cluster_share == pytest.approx({"blue": 0.69, "red": 0.31})
    assert rig.told == []
    window(2, 54.0, 9, 1)
    assert rig.names() == [(AlarmName.CLUSTER_RATE, "blue", False)]
    assert rig.told[0].cluster == "blue"
    assert "81%" in rig.told[0].detail
    window(3, 60.0, 9, 1)
    assert len(rig.told) == 1
    rig.chores.tick(185.0, [0], reading=True)
    assert len(rig.told) == 1
    window(4, 0.0, 0, 0)
    assert rig.names()[1:] == [(AlarmName.CLUSTER_RATE, "blue", True)]
    assert rig.counts.alarms == {AlarmName.CLUSTER_RATE.value: 1}


def test_a_silence_is_told_and_appended_to_raw_so_that_it_moves_the_clusters_time() -> None:
    rig = Rig()
    before = datetime.now(UTC)
    rig.chores.observe([canary(0, NOON), canary(0, NOON, cluster="red", partition=1)])
    rig.chores.tick(89.0, [0, 1], reading=True)
    assert rig.sender.log == []
    rig.chores.observe([canary(1, NOON + timedelta(seconds=89), cluster="red", partition=1)])
    rig.chores.tick(90.0, [0, 1], reading=True)
    rig.chores.tick(95.0, [0, 1], reading=True)
    assert rig.names() == [(AlarmName.SOURCE_SILENT, "collector audit.log", False)]
    ((envelope, value),) = rig.sender.log
    assert (envelope.cluster, envelope.collector, envelope.format, envelope.source) == (
        "blue",
        "worker-1",
        Format.SILENCE,
        "audit.log",
    )
    told = read_canary(value).time
    assert told is not None
    assert before <= told == envelope.received <= datetime.now(UTC)
    assert rig.sender.polls == 1


def test_the_end_of_a_silence_is_told() -> None:
    rig = Rig()
    rig.chores.observe([canary(0, NOON)])
    rig.chores.tick(90.0, [0], reading=True)
    rig.chores.observe([canary(1, NOON + timedelta(seconds=95))])
    assert rig.names()[1:] == [(AlarmName.SOURCE_SILENT, "collector audit.log", True)]
    assert rig.counts.alarms == {AlarmName.SOURCE_SILENT.value: 1}
    assert rig.counts.sources[SOURCE] == NOON + timedelta(seconds=95)


def test_two_clusters_that_fall_silent_at_once_each_have_their_record() -> None:
    rig = Rig()
    rig.chores.observe([canary(0, NOON), canary(1, NOON, cluster="red")])
    rig.chores.tick(90.0, [0], reading=True)
    assert [envelope.cluster for envelope, _ in rig.sender.log] == ["blue", "red"]


def test_time_in_which_nothing_is_read_makes_nobody_silent() -> None:
    rig = Rig()
    rig.chores.observe([canary(0, NOON)])
    rig.chores.tick(500.0, [0], reading=False)
    rig.chores.tick(589.0, [0], reading=True)
    assert rig.told == []
    rig.chores.tick(590.0, [0], reading=True)
    assert len(rig.told) == 1


def test_a_full_producer_costs_the_record_and_not_the_alarm() -> None:
    rig = Rig()
    rig.sender.is_full = True
    rig.chores.observe([canary(0, NOON)])
    rig.chores.tick(90.0, [0], reading=True)
    assert len(rig.told) == 1
    assert rig.sender.log == []


def test_only_canaries_make_a_source_known() -> None:
    rig = Rig()
    value = canary(0, NOON).value
    rig.chores.observe([message(0, audit_event(1)), message(1, value, kind=Format.SILENCE)])
    rig.chores.tick(90.0, [0], reading=True)
    assert (rig.counts.sources, rig.told) == ({}, [])


def test_a_canary_without_a_readable_time_counts_as_received() -> None:
    rig = Rig()
    rig.chores.observe([message(0, b"{}", kind=Format.CANARY, received=NOON)])
    assert rig.counts.sources == {("blue", "collector", ""): NOON}


def test_a_partition_that_went_away_takes_its_sources_clocks_and_alarms_with_it() -> None:
    rig = Rig()
    rig.chores.observe([canary(0, NOON), canary(0, NOON, cluster="red", partition=1)])
    rig.chores.tick(60.0, [0, 1], reading=True)
    assert set(rig.counts.clock_off_s) == {("blue", "collector"), ("red", "collector")}
    rig.chores.tick(90.0, [0, 1], reading=True)
    assert len(rig.told) == 2
    rig.chores.tick(91.0, [1], reading=True)
    assert [(one.cluster, one.resolved) for one in rig.told[2:]] == [("blue", True)]
    assert {source[0] for source in rig.counts.sources} == {"red"}
    assert set(rig.counts.clock_off_s) == {("red", "collector")}


def test_a_clock_that_is_wrong_is_an_alarm_with_its_difference() -> None:
    rig = Rig()
    ahead = canary(0, NOON, received=NOON)
    stored_ms = int((NOON - timedelta(minutes=6)).timestamp() * 1000)
    rig.chores.observe([Record(0, 0, ahead.value, ahead.envelope, stored_ms)])
    rig.chores.tick(60.0, [0], reading=True)
    assert rig.counts.clock_off_s == {("blue", "collector"): 360.0}
    assert [name for name, _, _ in rig.names()] == [AlarmName.SOURCE_CLOCK_OFF]


def test_retention_is_applied_hourly_by_the_owner_of_the_first_partition() -> None:
    rig = Rig()
    rig.chores.tick(3_599.0, [0, 1], reading=True)
    rig.chores.tick(3_700.0, [1, 2], reading=True)
    assert rig.retained == 0
    rig.chores.tick(3_800.0, [2, 0], reading=True)
    assert rig.retained == 1
    rig.chores.tick(7_399.0, [0], reading=True)
    assert rig.retained == 1
    rig.chores.tick(7_400.0, [0], reading=False)
    assert rig.retained == 2
