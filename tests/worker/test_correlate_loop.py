"""What the loop of `correlate` does in which order, and what it does when something refuses."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from ingest.sources.kafka import Committed, Position, Record
from sinks.signals import Passed
from tests.worker.across import SignalLog, across_in, signal
from tests.worker.messages import NOON
from tests.worker.over_time import MANY
from worker.correlate import Correlator
from worker.counts import WorkerCounts
from worker.drain import Wait
from worker.pace import Pace, Watch
from worker.partition import read_reference
from worker.stages import Found

LATER_US = int(NOON.timestamp() + 600) * 1_000_000


class World:
    """One member, its source, its sinks and its snapshots, every call noted."""

    def __init__(self, folder: Path, **pace: Any) -> None:
        self.rules = across_in(folder / "rules", [MANY])
        self.signals = SignalLog(2)
        self.calls: list[str] = []
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.waits: list[Wait] = []
        self.found = 0
        self.refusals: dict[int, str] = {}
        self.committed_at: dict[int, tuple[int, str]] = {}
        self.disk_is_full = False
        self.clock_s = 0.0
        self.next: dict[int, int] = {}
        self.counts = WorkerCounts()
        self.correlator = Correlator(
            self.rules,
            self,
            self,
            self.counts,
            pace=Pace(**({"snapshot_interval_s": 0.0, "release_s": 1e9} | pace)),
            watch=Watch(log=self.log, clock=lambda: self.clock_s, sleep=self.sleep),
        )
        self.correlator.source = self
        given = [Committed(number, None, "", 0, 0) for number in self.signals.log]
        self.next.update(self.correlator.assign(given))

    def log(self, event: str, **values: Any) -> None:
        self.logged.append((event, values))

    def sleep(self, seconds: float) -> None:
        self.clock_s += seconds

    def add_over_time(self, found: Found) -> None:
        self.calls.append("add")
        self.found += len(found.findings)

    def flush(self) -> Wait | None:
        self.calls.append("flush")
        return self.waits.pop(0) if self.waits else None

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        assert data
        self.calls.append("snapshot")
        if self.disk_is_full:
            raise OSError(28, "No space left on device")
        return f"signals/{partition}/{offset}", "sha"

    def load_snapshot(self, partition: int, name: str, sha256: str) -> bytes | None:
        raise AssertionError((partition, name, sha256))

    def earlier_snapshots(self, partition: int, before: int) -> Iterable[tuple[str, bytes]]:
        del partition, before
        return []

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        del max_records, timeout_s
        found = [r for n, at in self.next.items() for r in self.signals.log[n][at:]]
        self.next = {number: len(self.signals.log[number]) for number in self.next}
        return found

    def idle(self, timeout_s: float) -> None:
        self.calls.append("idle")
        self.clock_s += timeout_s

    def high(self, partition: int) -> int | None:
        return len(self.signals.log[partition]) + 5

    def commit(self, positions: list[Position]) -> dict[int, str]:
        self.calls.append("commit")
        for one in positions:
            if one.partition not in self.refusals:
                self.committed_at[one.partition] = (one.offset, one.metadata)
        return self.refusals

    def committed(self, partition: int) -> Committed | None:
        raise AssertionError(partition)

    def seek(self, partition: int, offset: int) -> None:
        raise AssertionError((partition, offset))

    def say_all(self) -> World:
        """Send four signals of a group, and that everybody has passed them."""
        for number in range(4):
            message = signal(self.rules, number, number)
            self.signals.append(0, msgspec.msgpack.encode(message))
        for number in range(2):
            self.signals.tell(Passed(number, 2, LATER_US, True, 0))
        return self


def test_a_checkpoint_folds_flushes_saves_and_commits_in_this_order(tmp_path: Path) -> None:
    world = World(tmp_path).say_all()
    world.correlator.step()
    first = [call for call in world.calls if call == "add"]
    world.calls.clear()
    world.correlator.checkpoint()
    assert (len(first), world.found) == (0, 1), "a fold was not due before"
    assert world.calls == ["add", "flush", "snapshot", "snapshot", "commit"]
    assert {number: offset for number, (offset, _) in world.committed_at.items()} == {0: 6, 1: 2}
    reference = read_reference(world.committed_at[0][1])
    assert reference is not None
    assert (reference.snapshot, reference.offset, reference.pack) == (
        "signals/0/6",
        6,
        world.rules.hash,
    )
    world.calls.clear()
    world.correlator.checkpoint()
    assert world.calls == ["flush"], "nothing is new"
    assert world.counts.lag == {0: 5, 1: 5}
    assert world.correlator.outcomes.watermark_us == LATER_US


def test_a_checkpoint_is_due_by_time_or_by_messages(tmp_path: Path) -> None:
    world = World(tmp_path, interval_s=10.0, records=8).say_all()
    assert not world.correlator.is_checkpoint_due()
    world.clock_s = 10.0
    assert world.correlator.is_checkpoint_due()
    assert world.correlator.run_once() == 8
    assert not world.correlator.is_checkpoint_due()
    world.say_all().correlator.step()
    assert world.correlator.is_checkpoint_due()


def test_a_sink_that_waits_is_waited_for_in_the_group(tmp_path: Path) -> None:
    world = World(tmp_path, release_s=0.0).say_all()
    world.waits = [Wait("elasticsearch", 1.0, "busy")]
    world.correlator.step()
    assert world.calls == ["add", "flush", "idle", "flush"]
    assert world.counts.retries == {"elasticsearch": 1}


def test_a_snapshot_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    world = World(tmp_path).say_all()
    world.disk_is_full = True
    world.correlator.step()
    world.correlator.checkpoint()
    assert {number: metadata for number, (_, metadata) in world.committed_at.items()} == {
        0: "",
        1: "",
    }
    assert [values["signals"] for event, values in world.logged if event == "snapshot-failed"] == [
        0,
        1,
    ]


def test_a_refused_commit_is_told_and_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path).say_all()
    world.refusals = {0: "fenced"}
    world.correlator.step()
    world.correlator.checkpoint()
    assert ("commit-refused", {"signals": 0, "reason": "fenced"}) in world.logged
    assert world.counts.committed == {1: 2}
    world.refusals = {}
    world.correlator.checkpoint()
    assert world.counts.committed == {0: 6, 1: 2}


def test_a_revoked_partition_is_made_safe_and_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path, snapshot_interval_s=1e9).say_all()
    world.correlator.step()
    world.calls.clear()
    world.waits = [Wait("elasticsearch", 1.0, "busy")]
    world.correlator.revoke([0])
    assert world.calls == ["add", "flush", "flush", "snapshot", "commit"]
    assert list(world.correlator.partitions) == [1]
    assert world.counts.lag.keys() == {1}


def test_a_revoke_beyond_its_deadline_abandons_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, revoke_deadline_s=3.0).say_all()
    world.correlator.step()
    world.waits = [Wait("elasticsearch", 2.0, "away")] * 5
    world.correlator.revoke([0, 1])
    assert world.committed_at == {}
    assert ("abandoned", {"signals": [0, 1], "reason": "away"}) in world.logged
    assert not world.correlator.partitions


def test_what_was_deleted_before_it_was_read_is_said(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.correlator.assign([Committed(0, 3, "", 7, 9)])
    assert ("signals-lost", {"signals": 0, "expected": 3, "low": 7}) in world.logged
    assert world.correlator.partitions[0].position == 7
    world.correlator.lose([0])
    assert list(world.correlator.partitions) == [1]
