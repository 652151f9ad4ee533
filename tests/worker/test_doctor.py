"""What the doctor finds, on this installation, in values, and in the tail of a real topic."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from ingest.collectors.canary import canary_record
from ingest.envelope import headers_of
from sinks.change import Change
from sinks.kafka_admin import GroupState
from sinks.topics import TopicOptions, apply
from worker.doctor.broker import (
    judge_changes,
    judge_clocks,
    judge_quarantine,
    judge_sources,
    judge_workers,
)
from worker.doctor.check import CheckName, Result, State
from worker.doctor.examination import examine
from worker.doctor.installation import check_packages, check_rules, check_sample, check_store
from worker.doctor.topic_tail import Tail, read_tail
from worker.settings import shipped_rules

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SILENCE = timedelta(seconds=90)
A, B = ("prod", "host", "audit.log"), ("test", "webhook", "")


def test_an_installation_is_complete() -> None:
    assert check_packages().state is State.OK
    rules, compiled = check_rules([shipped_rules()])
    assert rules.state is State.OK
    sample = check_sample(compiled)
    assert sample.state is State.OK
    bases = list((shipped_rules() / "bases").iterdir())
    assert {path.suffix for path in bases} == {".json", ".txt"}
    assert f"{len(bases)} sample records" in sample.detail


def test_a_missing_library_and_a_stranger_in_our_names_fail() -> None:
    assert "no_such_library" in check_packages(libraries=["no_such_library"]).detail
    found = check_packages(packages=["pytest"], libraries=[])
    assert found.state is State.FAILED
    assert "also belongs to pytest" in found.detail


def test_rules_that_are_refused_missing_or_none_fail(tmp_path: Path) -> None:
    assert check_rules([tmp_path / "not"])[0].state is State.FAILED
    assert check_rules([tmp_path])[0].detail == "there are none"
    (tmp_path / "bad.yml").write_text("title: x\ndetection: 1\n")
    refused, rules = check_rules([tmp_path])
    assert refused.state is State.FAILED
    assert "bad.yml" in refused.detail
    assert rules == ()


def test_a_store_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert check_store(tmp_path).state in {State.OK, State.WARNING}
    assert list(tmp_path.iterdir()) == []
    missing = check_store(tmp_path / "a" / "b")
    assert "does not exist yet" in missing.detail
    assert not (tmp_path / "a").exists()


def test_a_store_that_cannot_be_written_fails(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    found = check_store(file)
    assert found.state is State.FAILED
    assert "Not a directory" in found.detail


def test_changes_that_are_missing_fail_and_drift_warns() -> None:
    missing = Change("topic", "raw", None, {"partitions": 1})
    drift = Change("topic", "raw", {"a": 1}, {"a": 2})
    assert judge_changes(CheckName.TOPICS, [], "good") == Result(CheckName.TOPICS, State.OK, "good")
    assert judge_changes(CheckName.TOPICS, [drift, missing], "").state is State.FAILED
    found = judge_changes(CheckName.TOPICS, [drift], "")
    assert found.state is State.WARNING
    assert "a: 1 -> 2" in found.detail


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (GroupState(2, {0: 5, 1: 5}, {0: 3, 1: 0}), State.OK),
        (GroupState(3, {0: 5, 1: 5}, {0: 3, 1: 0}), State.WARNING),  # one has nothing to do
        (GroupState(0, {}, {0: 0}), State.WARNING),  # just set up
        (GroupState(0, {}, {0: 1}), State.FAILED),
        (GroupState(0, {0: 5}, {0: 0}), State.FAILED),
    ],
)
def test_workers_that_do_not_run_fail(state: GroupState, expected: State) -> None:
    assert judge_workers("g", state).state is expected


def test_a_silent_source_fails_and_is_named() -> None:
    late = NOW - timedelta(seconds=91)
    found = judge_sources(Tail(heard={A: late, B: NOW}), NOW, SILENCE)
    assert found.state is State.FAILED
    assert "1 sources send canaries, 1 are silent: prod host audit.log since" in found.detail
    assert judge_sources(Tail(heard={A: NOW, B: NOW}), NOW, SILENCE).state is State.OK
    assert judge_sources(Tail(), NOW, SILENCE).state is State.WARNING


def test_of_a_tail_not_read_to_its_end_nobody_is_accused() -> None:
    tail = Tail(heard={A: NOW - timedelta(hours=1)}, is_whole=False)
    assert judge_sources(tail, NOW, SILENCE).state is State.OK


def test_clocks_that_are_off_warn_with_whose_and_which_way() -> None:
    off = {("prod", "a"): 301.0, ("prod", "b"): -4_000.0, ("prod", "c"): 299.0}
    found = judge_clocks(Tail(newest=NOW, clock_off_s=off), NOW)
    assert found.state is State.WARNING
    assert found.detail == "prod a is 301 s ahead of it; prod b is 4000 s behind it"
    ours = judge_clocks(Tail(newest=NOW + timedelta(seconds=400)), NOW)
    assert ours.detail == "this machine is 400 s behind the broker"
    assert judge_clocks(Tail(newest=NOW - timedelta(hours=9)), NOW).state is State.OK
    assert judge_clocks(Tail(), NOW).state is State.SKIPPED


@pytest.mark.parametrize(
    ("refused", "taken", "expected"),
    [
        (0, 0, State.OK),
        (10, 1_000, State.OK),
        (11, 1_000, State.WARNING),
        (501, 1_000, State.FAILED),
        (1, 0, State.FAILED),
    ],
)
def test_the_share_of_refused_records_is_judged(refused: int, taken: int, expected: State) -> None:
    assert judge_quarantine(refused, taken, 0.5).state is expected


def names(results: list[Result]) -> list[CheckName]:
    return [result.name for result in results]


def test_offline_asks_no_server_and_still_says_all_names_in_order() -> None:
    results = list(examine(None, "1", offline=True))
    assert names(results) == list(CheckName)
    made = {result.name for result in results if result.state is not State.SKIPPED}
    local = {CheckName.PACKAGES, CheckName.RULES, CheckName.SAMPLE, CheckName.MODELS}
    assert made == {CheckName.SETTINGS, *local}


@pytest.mark.parametrize("offline", [False, True])
def test_settings_that_cannot_be_read_fail_and_the_rest_is_still_checked(
    tmp_path: Path, *, offline: bool
) -> None:
    file = tmp_path / "settings.yml"
    file.write_text("kafka:\n  no_such: 1\n")
    results = list(examine(file, "1", offline=offline))
    assert names(results) == list(CheckName)
    assert results[0].state is State.FAILED
    assert "kafka.no_such" in results[0].detail
    assert results[1].state is State.OK


def test_servers_that_are_away_are_named_once_and_the_rest_is_skipped(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settings.yml"
    file.write_text(
        "kafka:\n  bootstrap_servers: 127.0.0.1:1\n"
        f"store:\n  folder: {tmp_path}\n"
        "elasticsearch:\n  url: http://127.0.0.1:1\n"
    )
    results = list(examine(file, "1", offline=False))
    assert names(results) == list(CheckName)
    failed = [result for result in results if result.state is State.FAILED]
    assert names(failed) == [CheckName.KAFKA, CheckName.ELASTICSEARCH]
    assert all("127.0.0.1" in result.detail for result in failed)


@pytest.fixture
def raw(kafka: str) -> Iterator[str]:
    prefix = f"f-doctor-{uuid.uuid4().hex[:8]}"
    options = TopicOptions(f"{prefix}-raw", f"{prefix}-q", f"{prefix}-s", 2, 1)
    apply({"bootstrap.servers": kafka}, options)
    yield options.raw
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = [options.raw, options.quarantine, options.signals]
    for future in admin.delete_topics(topics).values():
        future.result(20)


@pytest.mark.integration
def test_the_tail_tells_who_was_heard_of_and_whose_clock_is_off(kafka: str, raw: str) -> None:
    config = {"bootstrap.servers": kafka}
    now = datetime.now(UTC)
    producer = Producer(config)
    for partition, cluster, off_s in ((0, "right", 0), (1, "wrong", 3_600)):
        received = now + timedelta(seconds=off_s)
        envelope, value = canary_record(cluster, "host", "audit.log", received, caught_up=True)
        producer.produce(
            raw,
            value,
            cluster,
            partition,
            headers=headers_of(envelope),  # type: ignore[arg-type]
        )
        producer.produce(raw, b"{}", cluster, partition)
    assert producer.flush(20) == 0
    later = datetime.now(UTC)
    tail = read_tail(config, raw, later, SILENCE, iter([0, 1, 99, 99, 99, 99, 99]).__next__)
    assert (tail.is_whole, tail.messages) == (False, 1)  # out of time after a message
    tail = read_tail(config, raw, later, SILENCE, lambda: 0.0)
    assert tail.is_whole
    assert tail.messages == 4
    assert set(tail.heard) == {("right", "host", "audit.log"), ("wrong", "host", "audit.log")}
    assert all(now - timedelta(seconds=5) < heard <= later for heard in tail.heard.values())
    assert abs(tail.clock_off_s["right", "host"]) < 60
    assert tail.clock_off_s["wrong", "host"] > 3_000
    assert judge_sources(tail, later, SILENCE).state is State.OK
    # Ten minutes on, without more canaries, both are known and silent.
    on = later + timedelta(minutes=9, seconds=30)
    after = read_tail(config, raw, on, SILENCE, lambda: 0.0)
    found = judge_sources(after, on, SILENCE)
    assert found.state is State.FAILED
    assert "2 are silent" in found.detail
