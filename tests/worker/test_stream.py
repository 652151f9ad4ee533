"""What the loop tells, counts and waits for: all that the model of the checkpoint cannot see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ingest.envelope import Envelope, Format
from ingest.sources.kafka import Committed, Position, Record
from tests.worker.world import (
    BEGIN,
    TOPIC,
    FakeOutputs,
    FakeSource,
    FakeStages,
    FakeStores,
    Item,
    World,
    record_of,
)
from worker.cluster_memory import LATENESS_US
from worker.counts import StepStage, WorkerCounts
from worker.drain import Stopped, Wait
from worker.fold import Folded
from worker.holdings import Holdings
from worker.pace import Pace, Watch
from worker.partition import read_reference
from worker.stages import Found
from worker.stream import Worker
from worker.takeover import Detecting, StoreMismatchError

FAR_S = 1e9
SECOND_US = 1_000_000
ROUTINE = {"assigned", "checkpoint", "folding", "lost", "revoked"}
"""What is logged of a good day; the tests look at trouble."""


class Outputs(FakeOutputs):
    """Asks to wait as scripted, then does what the world's does; notes that it was asked."""

    def __init__(self, world: World, calls: list[str]) -> None:
        super().__init__(world)
        self.waits: list[Wait] = []
        self.calls = calls
        self.told: list[tuple[int, int | None, bool]] = []

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        self.calls.append("told")
        self.told.append((partition, watermark_us, is_whole))

    def add(self, found: Found, folded: Folded) -> None:
        self.calls.append("add")
        super().add(found, folded)

    def flush(self) -> Wait | None:
        self.calls.append("flush")
        return self.waits.pop(0) if self.waits else super().flush()


class Source(FakeSource):
    """Gives the batches of a script; notes commits, seeks and idling."""

    def __init__(self, world: World, worker: Worker, calls: list[str]) -> None:
        super().__init__(world, worker)
        self.batches: list[list[Record]] = []
        self.seeks: list[tuple[int, int]] = []
        self.idled: list[float] = []
        self.refusals: dict[int, str] = {}
        self.highs: dict[int, int | None] = {}
        self.calls = calls

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        assert (max_records, timeout_s) == (10, 0.5)
        return self.batches.pop(0) if self.batches else []

    def idle(self, timeout_s: float) -> None:
        self.idled.append(timeout_s)
        super().idle(timeout_s)

    def seek(self, partition: int, offset: int) -> None:
        self.seeks.append((partition, offset))

    def commit(self, positions: list[Position]) -> dict[int, str]:
        self.calls.append("commit")
        accepted = [one for one in positions if one.partition not in self.refusals]
        return super().commit(accepted) | self.refusals

    def high(self, partition: int) -> int | None:
        return self.highs.get(partition, 100)


class Stores(FakeStores):
    """The world's stores; snapshots may fail."""

    def __init__(self, world: World, calls: list[str]) -> None:
        super().__init__(world)
        self.calls = calls
        self.fails = False

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        self.calls.append("snapshot")
        if self.fails:
            raise OSError(28, "No space left on device")
        return super().save_snapshot(partition, offset, data)


class Rig:
    """One worker on two partitions of a world, every call and message noted."""

    def __init__(self, *numbers: int, **pace: Any) -> None:
        self.world = World(3)
        self.calls: list[str] = []
        self.logged: list[tuple[str, dict[str, Any]]] = []
        self.observed: list[tuple[int, int]] = []
        self.waited: list[tuple[str, float, str]] = []
        self.beats = self.flowing = self.idlings = 0
        self.is_stopping = False
        self.counts = WorkerCounts()
        defaults = {"batch_records": 10, "poll_s": 0.5, "snapshot_interval_s": FAR_S}
        self.stores = Stores(self.world, self.calls)
        holdings = Holdings(
            self.stores,
            self.counts,
            Pace(**{**defaults, **pace}),
            Watch(
                log=self.log,
                beat=self.beat,
                clock=lambda: self.world.clock_s,
                sleep=self.world.pass_time,
                stopping=lambda: self.is_stopping,
                batch=self.observe,
                waiting=lambda *told: self.waited.append(told),
                idling=self.idle,
                flowing=self.flow,
            ),
            begin_archive=False,
        )
        self.outputs = Outputs(self.world, self.calls)
        self.worker = Worker(
            TOPIC,
            FakeStages(),
            self.outputs,
            holdings,
            self.counts,
        )
        self.source = Source(self.world, self.worker, self.calls)
        self.worker.source = self.source
        self.source.to_assign = list(numbers or (0, 1))
        self.source.serve()
        self.logged.clear()

    def log(self, event: str, **values: Any) -> None:
        if event not in ROUTINE:
            self.logged.append((event, values))

    def beat(self) -> None:
        self.beats += 1

    def idle(self) -> None:
        self.idlings += 1

    def flow(self) -> None:
        self.flowing += 1

    def observe(self, records: Sequence[Record], refused: int) -> None:
        self.calls.append("observed")
        self.observed.append((len(records), refused))

    def give(self, *records: Record) -> Rig:
        self.source.batches.append(list(records))
        for record in records:
            log = self.world.log[record.partition]
            log += [Item(0, 0)] * (record.offset + 1 - len(log))
        return self

    def position(self, number: int = 0) -> int:
        return self.worker.holdings.partitions[number].position


def items(first: int, *values: Item, partition: int = 0) -> list[Record]:
    return [record_of(partition, first + n, value) for n, value in enumerate(values)]


def plain(first: int, count: int = 1, partition: int = 0) -> list[Record]:
    numbers = range(first, first + count)
    return items(first, *(Item(100 * partition + n, n) for n in numbers), partition=partition)


def test_an_empty_poll_touches_nothing() -> None:
    rig = Rig()
    assert rig.worker.step() == 0
    assert rig.calls == []
    assert rig.counts.batches == 0
    assert set(rig.counts.stage_seconds) == {StepStage.POLL}


def test_a_step_adds_flushes_and_then_tells_of_the_batch() -> None:
    rig = Rig().give(*items(0, Item(1, 0), Item(2, 0, bad=True)), *plain(0, 2, partition=1))
    assert rig.worker.step() == 4
    assert rig.calls == ["add", "flush", "observed"]
    assert rig.observed == [(4, 1)]
    assert rig.flowing == 1
    assert set(rig.counts.stage_seconds) == set(StepStage) - {StepStage.CHECKPOINT}


def test_a_step_counts_what_became_of_every_record() -> None:
    rig = Rig()
    rig.world.clock_s = 42.0
    rig.source.highs = {0: 9, 1: None}
    silence = Envelope("blue", "w", Format.SILENCE, Item(9, 0).time)
    rig.give(
        *items(
            0,
            Item(1, 100),
            Item(1, 100),
            Item(2, 0),
            Item(3, 0, bad=True),
            Item(4, 100, canary=True),
        ),
        *plain(0, 1, partition=1),
    )
    rig.worker.step()
    counts = rig.counts
    assert (counts.records, counts.batches, counts.batch_records) == (6, 1, 6)
    assert (counts.events, counts.repeats, counts.late) == (3, 1, 1)
    assert (counts.canaries, counts.extra) == (1, 0)
    assert counts.quarantined == {"not-json": 1}
    assert counts.last_batch == 42.0
    assert counts.position == {0: 5, 1: 1}
    assert counts.lag == {0: 4}
    rig.give(Record(0, 5, b"9 0 blue 0 1", silence))
    rig.worker.step()
    assert (counts.records, counts.canaries) == (7, 2)


def test_records_that_are_not_ours_or_were_folded_are_left_out() -> None:
    rig = Rig().give(*plain(0, 3))
    rig.worker.step()
    rig.give(*plain(0, 4), *plain(0, 1, partition=2), *plain(0, 2, partition=1))
    assert rig.worker.step() == 3
    assert (rig.position(0), rig.position(1)) == (4, 2)
    assert rig.counts.records == 6
    assert rig.source.seeks == []
    assert rig.logged == []


def test_a_gap_is_read_again_once_and_is_the_logs_own_the_second_time() -> None:
    rig = Rig().give(*plain(0, 2), *plain(5, 2), *plain(0, 1, partition=1))
    assert rig.worker.step() == 3
    assert rig.source.seeks == [(0, 2)]
    assert rig.logged == [("gap", {"partition": 0, "expected": 2})]
    rig.give(*plain(5, 2))
    assert rig.worker.step() == 2
    assert rig.position() == 7
    rig.give(*plain(9))
    assert rig.worker.step() == 0
    assert rig.source.seeks == [(0, 2), (0, 7)]
    rig.give(*plain(7), *plain(9))
    assert rig.worker.step() == 1
    assert rig.source.seeks[2:] == [(0, 8)]


def test_nothing_behind_a_gap_is_taken_even_if_it_would_continue() -> None:
    rig = Rig().give(*plain(0), *plain(3), *plain(1))
    assert rig.worker.step() == 1
    assert rig.position() == 1


def test_a_batch_goes_on_by_partition() -> None:
    rig = Rig()
    mixed = [*plain(0, 1, partition=1), *plain(0), *plain(1, 1, partition=1), *plain(1)]
    rig.give(*mixed)
    rig.worker.step()
    found = [identifier for _, identifier in rig.world.documents]
    assert [int(identifier, 16) for identifier in found] == [0, 1, 100, 101]


def test_a_sink_that_waits_is_waited_for_in_the_group_and_told_of() -> None:
    rig = Rig().give(*plain(0))
    rig.outputs.waits = [Wait("elasticsearch", 1.5, "busy"), Wait("quarantine", 0.5, "slow")]
    rig.worker.step()
    assert rig.source.idled == [1.5, 0.5]
    assert rig.waited == [("elasticsearch", 1.5, "busy"), ("quarantine", 0.5, "slow")]
    assert rig.beats == 2
    assert rig.flowing == 1
    assert rig.calls == ["add", "flush", "flush", "flush", "observed"]
    assert rig.counts.retries == {"elasticsearch": 1, "quarantine": 1}
    assert rig.counts.wait_seconds == {"elasticsearch": 1.5, "quarantine": 0.5}


def test_a_long_wait_is_waited_in_pieces_each_with_a_beat() -> None:
    rig = Rig().give(*plain(0))
    rig.outputs.waits = [Wait("elasticsearch", 30.0, "away")]
    rig.worker.step()
    assert (sum(rig.source.idled), max(rig.source.idled)) == (30.0, 2.0)
    assert rig.beats == rig.idlings == len(rig.source.idled)
    assert rig.waited == [("elasticsearch", 30.0, "away")]


def test_a_worker_that_is_to_stop_does_not_wait_for_a_sink() -> None:
    rig = Rig().give(*plain(0))
    rig.outputs.waits = [Wait("elasticsearch", 1.5, "busy")]
    rig.is_stopping = True
    with pytest.raises(Stopped):
        rig.worker.step()
    assert rig.source.idled == []
    assert rig.flowing == 0
    assert rig.observed == []
    assert rig.waited == [("elasticsearch", 1.5, "busy")]


def test_a_checkpoint_is_due_by_time_or_by_records_of_all_partitions() -> None:
    rig = Rig(interval_s=60.0, records=4).give(*plain(0, 2), *plain(0, 1, partition=1))
    rig.worker.run_once()
    assert (rig.counts.checkpoints, rig.beats) == (0, 1)
    rig.give(*plain(2))
    rig.worker.run_once()
    assert rig.counts.checkpoints == 1
    rig.world.clock_s = 59.9
    assert not rig.worker.is_checkpoint_due()
    rig.world.clock_s = 60.0
    rig.worker.run_once()
    assert rig.counts.checkpoints == 2
    rig.world.clock_s = 119.9
    assert not rig.worker.is_checkpoint_due()


def test_a_checkpoint_flushes_links_saves_and_commits_in_this_order() -> None:
    rig = Rig(snapshot_interval_s=0.0).give(*plain(0, 2))
    rig.worker.step()
    rig.calls.clear()
    rig.worker.checkpoint()
    assert rig.calls == ["flush", "snapshot", "commit"]
    assert rig.world.segments.keys() == {(0, 0)}
    offset, metadata = rig.world.committed[0]
    reference = read_reference(metadata)
    assert offset == 2
    assert reference is not None
    assert (reference.snapshot, reference.offset) == (f"0/{2:020}", 2)
    assert rig.world.committed.keys() == {0}
    assert rig.counts.committed == {0: 2}
    assert rig.counts.state_bytes == len(rig.world.snapshots[f"0/{2:020}"])
    assert StepStage.CHECKPOINT in rig.counts.stage_seconds


def test_how_far_partitions_came_is_told_after_the_commit_where_rules_reach_over_clusters() -> None:
    rig = Rig(snapshot_interval_s=0.0).give(*plain(0, 2), *plain(0, 2, partition=1))
    rig.worker.step()
    rig.worker.checkpoint()
    assert rig.outputs.told == []
    rig.worker.holdings.detecting = Detecting(is_across=True)
    rig.source.highs = {0: 3, 1: 2}
    rig.give(*plain(2))
    rig.worker.step()
    rig.calls.clear()
    rig.worker.checkpoint()
    assert rig.calls == ["flush", "snapshot", "commit", "told", "told", "flush"]
    newest_us = int(BEGIN.timestamp()) * SECOND_US - LATENESS_US
    assert rig.outputs.told == [
        (0, newest_us + 2 * SECOND_US, True),
        (1, newest_us + SECOND_US, True),
    ]
    rig.source.highs = {0: 4, 1: None}
    rig.worker.checkpoint()
    assert [is_whole for *_, is_whole in rig.outputs.told[2:]] == [False, False]


def test_nothing_is_told_of_a_partition_whose_commit_was_refused() -> None:
    rig = Rig().give(*plain(0, 2), *plain(0, 2, partition=1))
    rig.worker.holdings.detecting = Detecting(is_across=True)
    rig.source.refusals = {0: "fenced"}
    rig.worker.step()
    rig.worker.checkpoint()
    assert [number for number, *_ in rig.outputs.told] == [1]


def test_a_checkpoint_of_nothing_commits_nothing() -> None:
    rig = Rig(snapshot_interval_s=0.0)
    rig.worker.checkpoint()
    assert rig.calls == ["flush"]
    assert rig.world.committed == {}


def test_a_snapshot_is_written_when_its_time_has_come_and_named_until_the_next() -> None:
    rig = Rig(snapshot_interval_s=300.0)
    names = []
    for number, clock_s in enumerate((299.9, 300.0, 599.9, 600.0)):
        rig.world.clock_s = clock_s
        rig.give(*plain(number))
        rig.worker.step()
        rig.worker.checkpoint()
        reference = read_reference(rig.world.committed[0][1])
        names.append(reference and reference.offset)
    assert names == [None, 2, 2, 4]


def test_a_snapshot_that_cannot_be_written_is_told_and_costs_nothing_else() -> None:
    rig = Rig(snapshot_interval_s=0.0).give(*plain(0))
    rig.worker.step()
    rig.worker.checkpoint()
    before = rig.world.committed[0][1]
    rig.stores.fails = True
    rig.give(*plain(1))
    rig.worker.step()
    rig.worker.checkpoint()
    assert rig.world.committed[0] == (2, before)
    assert [event for event, _ in rig.logged] == ["snapshot-failed"]
    assert rig.worker.holdings.failed == set()


def test_a_refused_commit_is_told_and_tried_again_at_the_next_checkpoint() -> None:
    rig = Rig().give(*plain(0), *plain(0, 1, partition=1))
    rig.source.refusals = {0: "fenced"}
    rig.worker.step()
    rig.worker.checkpoint()
    assert rig.logged == [("commit-refused", {"partition": 0, "reason": "fenced"})]
    assert rig.world.committed.keys() == {1}
    assert rig.counts.committed == {1: 1}
    held = rig.worker.holdings.partitions
    assert (held[0].records, held[1].records) == (1, 0)
    rig.source.refusals = {}
    rig.worker.checkpoint()
    assert rig.world.committed[0][0] == 1
    assert held[0].records == 0
    assert len(rig.world.segments) == 2


def test_a_partition_that_failed_is_read_again_from_what_was_committed() -> None:
    rig = Rig().give(*plain(0, 2))
    rig.world.full_until_s = 1.0
    assert rig.worker.run_once() == 2
    assert rig.source.idled == [2.0]
    assert rig.source.seeks == [(0, 0)]
    assert rig.position() == 0
    assert rig.worker.holdings.failed == set()
    assert [event for event, _ in rig.logged] == ["start-over"]


def test_a_revoked_partition_is_made_safe_with_a_snapshot_and_forgotten() -> None:
    rig = Rig().give(*plain(0, 2), *plain(0, 1, partition=1))
    rig.worker.step()
    rig.worker.revoke([0])
    assert rig.world.committed.keys() == {0}
    assert read_reference(rig.world.committed[0][1]) is not None
    assert rig.worker.holdings.partitions.keys() == {1}
    assert rig.counts.position == {1: 1}
    assert rig.counts.lag.keys() == {1}
    assert rig.counts.committed == {}


def test_a_revoke_waits_for_a_sink_up_to_its_deadline() -> None:
    rig = Rig(revoke_deadline_s=10.0).give(*plain(0))
    rig.worker.step()
    rig.outputs.waits = [Wait("elasticsearch", 6.0, "busy"), Wait("elasticsearch", 4.0, "busy")]
    rig.worker.revoke([0])
    assert rig.world.clock_s == 10.0
    assert rig.world.committed.keys() == {0}
    assert rig.counts.wait_seconds == {"elasticsearch": 10.0}
    assert rig.source.idled == []


def test_a_revoke_beyond_its_deadline_abandons_and_says_so() -> None:
    rig = Rig(revoke_deadline_s=10.0).give(*plain(0))
    rig.worker.step()
    rig.outputs.waits = [Wait("elasticsearch", 6.0, "busy"), Wait("elasticsearch", 4.1, "busy")]
    rig.worker.revoke([0])
    assert rig.world.clock_s == 6.0
    assert rig.logged == [("abandoned", {"partitions": [0], "reason": "busy"})]
    assert rig.world.committed == {}
    assert rig.world.segments == {}
    assert rig.worker.holdings.partitions.keys() == {1}


def test_partitions_that_were_lost_are_dropped_without_a_word_to_anybody() -> None:
    rig = Rig(snapshot_interval_s=0.0).give(*plain(0, 2))
    rig.worker.step()
    rig.calls.clear()
    rig.worker.holdings.failed.add(1)
    rig.worker.lose([0, 1, 7])
    assert rig.calls == []
    assert rig.worker.holdings.partitions == {}
    assert rig.worker.holdings.failed == set()
    assert rig.counts.position == {}


def test_assigning_counts_a_rebalance_and_says_where_to_begin() -> None:
    rig = Rig()
    assert rig.worker.assign([Committed(2, None, "", 3, 9)]) == {2: 3}
    assert rig.counts.rebalances == 2


def test_records_deleted_before_they_were_read_are_counted_and_passed_over() -> None:
    rig = Rig().give(*plain(0, 2))
    rig.worker.step()
    rig.worker.skip(0, 50)
    assert rig.counts.lost_records == 48
    assert rig.logged == [("records-lost", {"partition": 0, "expected": 2, "low": 50})]
    rig.give(*plain(50, 2))
    assert rig.worker.step() == 2
    assert rig.position() == 52
    assert rig.source.seeks == []


def test_a_partition_of_another_worker_is_not_skipped_in() -> None:
    rig = Rig()
    rig.worker.skip(2, 50)
    assert rig.counts.lost_records == 0


def test_a_topic_that_was_made_anew_stops_the_worker_before_it_waits_for_ever() -> None:
    """Its offsets begin at 0 again: all below our position would be left out without a word."""
    rig = Rig().give(*plain(0, 5))
    rig.worker.step()
    with pytest.raises(StoreMismatchError, match=r"partition 0.*5.*begins at 0"):
        rig.worker.skip(0, 0)
    assert rig.counts.lost_records == 0


def test_ids_beyond_the_bound_are_evicted_from_the_fullest_memory_and_counted() -> None:
    rig = Rig(max_ids=4)
    few = items(0, Item(900, 0, "red"), Item(901, 0, "red"), partition=1)
    rig.give(*items(0, *(Item(n, n * 10) for n in range(4))), *few)
    rig.worker.step()
    held = rig.worker.holdings.partitions
    assert (held[0].memories["blue"].held, held[1].memories["red"].held) == (2, 2)
    assert rig.counts.evictions == {"event-ids": 2}
