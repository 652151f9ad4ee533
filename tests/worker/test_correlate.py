"""Findings across clusters are those of one state, however signals come and whoever dies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from detectors.ruleset import Ruleset
from ingest.sources.kafka import Record
from sinks.signals import Passed, Signal
from tests.worker.across import (
    Correlating,
    Sending,
    SignalLog,
    across_in,
    at_once,
    correlate,
    signal,
)
from tests.worker.messages import NOON
from tests.worker.over_time import (
    MANY,
    NEW,
    Crash,
    Kept,
    Running,
    Topic,
    finish,
    random_log,
    start,
)
from worker.counts import SignalOutcomes
from worker.takeover import StoreMismatchError

MEMBERS = ((0, 1), (2,))


class World:
    """Two workers of a raw partition each, and two members that correlate."""

    def __init__(self, folder: Path, rules: Ruleset, random: Random) -> None:
        self.folder, self.rules, self.random = folder, rules, random
        self.raw = Topic(random_log(random))
        self.signals, self.kept = SignalLog(), Kept()
        self.sendings = [Sending(self.signals) for _ in self.raw.log]
        self.workers = [self.work(number) for number in self.raw.log]
        self.members = [self.correlate(numbers) for numbers in MEMBERS]

    def work(self, number: int) -> Running:
        self.sendings[number] = Sending(self.signals, self.sendings[number].now_us)
        return start(
            self.raw,
            self.folder / "store",
            self.rules,
            self.sendings[number],
            self.random,
            [number],
        )

    def correlate(self, numbers: Sequence[int]) -> Correlating:
        return correlate(
            self.signals, self.folder / "store", self.rules, self.kept, self.random, numbers
        )

    def turn(self) -> None:
        """Let somebody do something."""
        random = self.random
        number = random.randrange(2)
        if random.random() < 0.5:
            self.workers[number].step()
            if random.random() < 0.3:
                self.workers[number].worker.checkpoint()
        else:
            self.members[number].step()
            if random.random() < 0.3:
                self.members[number].correlator.checkpoint()

    def kill_worker(self, number: int) -> None:
        """Let a worker die after some of what it has to send."""
        self.sendings[number].left = self.random.choice([0, 1, 5])
        with suppress(Crash):
            self.workers[number].step()
            self.workers[number].worker.checkpoint()
        self.workers[number].worker.lose([number])  # closes its files, as an end would
        self.workers[number] = self.work(number)

    def kill_member(self, number: int) -> None:
        """Let a member die, whatever it was about to write."""
        self.kept.left = self.random.choice([0, 1, 5])
        with suppress(Crash):
            self.members[number].step()
            if self.random.random() < 0.5:
                self.members[number].correlator.checkpoint()
        self.kept.pending.clear()
        self.kept.left = None
        self.members[number] = self.correlate(MEMBERS[number])

    def finish(self) -> dict[str, dict[str, Any]]:
        for running in self.workers:
            finish(running)
        for member in self.members:
            member.finish()
        return self.kept.findings


def wanted(log: Mapping[int, Sequence[Record]], rules: Ruleset) -> dict[str, dict[str, Any]]:
    found = at_once(log, rules)
    kinds = {one["trailwarden.correlation.type"] for one in found.values()}
    assert kinds == {"event_count", "temporal_ordered", "absence", "first_seen", "value_count"}
    assert all(one["trailwarden.episode.closed"] for one in found.values())
    return found


@pytest.mark.parametrize("seed", range(4))
def test_findings_and_their_ends_are_those_of_one_state(tmp_path: Path, seed: int) -> None:
    rules = across_in(tmp_path / "rules")
    world = World(tmp_path, rules, Random(seed))
    for _ in range(60):
        world.turn()
    assert world.finish() == wanted(world.raw.log, rules)
    outcomes = [member.correlator.outcomes for member in world.members]
    assert [one.late + one.repeated + one.unknown + one.unreadable for one in outcomes] == [0, 0]
    assert all(one.folded for one in outcomes)


@pytest.mark.parametrize("seed", range(5))
def test_whoever_dies_the_findings_are_the_same(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    rules = across_in(tmp_path / "rules")
    world = World(tmp_path, rules, random)
    for _ in range(12):
        for _ in range(random.randint(0, 8)):
            world.turn()
        kill = random.choice([world.kill_worker, world.kill_member])
        kill(random.randrange(2))
    assert world.finish() == wanted(world.raw.log, rules)


def test_a_member_that_knows_nothing_begins_with_all_the_topic_has(tmp_path: Path) -> None:
    """Committed is the end, but every snapshot is gone."""
    rules = across_in(tmp_path / "rules")
    world = World(tmp_path, rules, Random(1))
    for running in world.workers:
        finish(running)
    signals = world.signals
    topic = signals.topic
    half = {number: len(topic.log[number]) // 2 for number in topic.log}
    topic.committed.update({number: (offset, "") for number, offset in half.items()})
    member = correlate(signals, tmp_path / "empty", rules, world.kept, world.random)
    assert {one.position for one in member.correlator.partitions.values()} == {0}
    member.finish()
    found = wanted(world.raw.log, rules)
    assert world.kept.findings.items() <= found.items()
    # Nobody's time had come before: the last message of all lets everything happen.
    assert world.kept.findings == found


def test_state_outlives_a_member_by_its_snapshot_alone(tmp_path: Path) -> None:
    rules = across_in(tmp_path / "rules")
    world = World(tmp_path, rules, Random(2))
    for running in world.workers:
        finish(running)
    member = world.correlate([0, 1, 2])
    member.step()
    member.correlator.revoke([0, 1, 2])
    assert not member.correlator.partitions
    positions = {number: at for number, (at, _) in world.signals.topic.committed.items()}
    assert max(positions.values()) > 0
    for number, at in positions.items():
        messages = world.signals.topic.log[number]
        assert isinstance(messages, list)
        messages[:at] = [messages[0]] * at  # what the snapshot covers is not read again
    world.correlate([0, 1, 2]).finish()
    assert world.kept.findings == wanted(world.raw.log, rules)


def test_two_with_one_partition_write_the_same(tmp_path: Path) -> None:
    """One that was frozen goes on although another has its partitions."""
    rules = across_in(tmp_path / "rules")
    world = World(tmp_path, rules, Random(3))
    frozen = world.members[0]
    for running in world.workers:
        running.step()
        running.worker.checkpoint()
    frozen.step()
    world.members[0] = world.correlate(MEMBERS[0])
    found = world.finish()
    frozen.finish()
    assert world.kept.findings == found == wanted(world.raw.log, rules)


def told(passed: int, **about: Any) -> Passed:
    """Return what is said of a partition of two, at seconds after noon."""
    values: dict[str, Any] = {"at_s": 0.0, "is_whole": True, "sent_s": 0.0} | about
    watermark_us = None if values["at_s"] is None else micros(values["at_s"])
    return Passed(passed, 2, watermark_us, values["is_whole"], micros(values["sent_s"]))


def micros(at_s: float) -> int:
    return int((NOON.timestamp() + at_s) * 1_000_000)


@dataclass
class Bench:
    """One member with one partition, and what it said."""

    folder: Path
    said: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    signals: SignalLog = field(default_factory=lambda: SignalLog(1))

    def __post_init__(self) -> None:
        self.rules = across_in(self.folder / "rules", [MANY])
        self.member = correlate(
            self.signals, self.folder, self.rules, self.kept, Random(1), [0], self.said
        )

    def read(self, *messages: Passed | Signal) -> Bench:
        for message in messages:
            self.signals.append(0, msgspec.msgpack.encode(message))
        self.member.finish()
        return self

    def four(self, first: int = 0, at_s: float = 0.0, **members: Any) -> list[Signal]:
        """Return as many signals as the rule asks for."""
        return [signal(self.rules, first + n, at_s + n, **members) for n in range(4)]

    @property
    def outcomes(self) -> SignalOutcomes:
        return self.member.correlator.outcomes


def test_a_raw_partition_that_nobody_speaks_for_holds_everything_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.read(*bench.four(), told(0, at_s=60.0))
    assert not bench.kept.findings
    assert bench.outcomes.missing == 1
    bench.read(told(0, at_s=90.0))
    assert [values for event, values in bench.said if event == "nobody-reads"] == [
        {"raw_partitions": [1]}
    ], "it is said once"
    bench.read(told(1, at_s=50.0))
    assert len(bench.kept.findings) == 1
    assert bench.outcomes.missing == 0
    assert bench.said[-1] == ("nobody-reads", {"raw_partitions": []})


def test_signals_behind_the_time_of_all_enter_no_window_and_are_counted(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    three, last = bench.four()[:3], bench.four()[3]
    bench.read(*three, told(0, at_s=60.0), told(1, at_s=30.0), last)
    bench.read(told(0, at_s=900.0), told(1, at_s=900.0))
    assert not bench.kept.findings
    assert (bench.outcomes.folded, bench.outcomes.late) == (3, 1)


def test_a_signal_sent_twice_counts_once(tmp_path: Path) -> None:
    """In one batch, in another, and after it was folded."""
    bench = Bench(tmp_path)
    three = bench.four()[:3]
    bench.read(*three, three[0])
    bench.read(three[1])
    bench.read(told(0, at_s=900.0), told(1, at_s=900.0), three[2])
    assert not bench.kept.findings
    assert (bench.outcomes.folded, bench.outcomes.repeated, bench.outcomes.late) == (3, 2, 1)


def test_a_signal_of_other_rules_and_what_is_none_are_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.signals.append(0, b"{}")
    bench.signals.append(0, b"")
    bench.read(signal(bench.rules, 9, 9.0, document={}))
    bench.read(*bench.four(correlation="0123456789abcdef"), *bench.four(part=7))
    bench.read(told(0, at_s=60.0), told(1, at_s=60.0))
    assert not bench.kept.findings
    assert (bench.outcomes.unknown, bench.outcomes.unreadable) == (8, 3)


def test_other_rules_keep_the_state_of_what_is_still_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    four = bench.four()
    bench.read(*four[:3])
    bench.member.correlator.take_rules(across_in(tmp_path / "other", [NEW, MANY]))
    bench.read(four[3], told(0, at_s=60.0), told(1, at_s=60.0))
    assert len(bench.kept.findings) == 1


def test_signals_that_retention_deleted_are_said_and_passed_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.read(*bench.four())
    bench.member.correlator.skip(0, 9)
    assert bench.said[-1] == ("signals-lost", {"signals": 0, "expected": 4, "low": 9})
    with pytest.raises(StoreMismatchError, match="not the one that was read so far"):
        bench.member.correlator.skip(0, 3)
    bench.member.correlator.skip(5, 3)  # another member's by now
