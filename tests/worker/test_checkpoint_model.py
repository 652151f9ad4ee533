"""F22: whatever crashes, waits, is fenced or torn, nothing is lost and nothing is there twice.

Hypothesis drives real workers (loop, holdings, takeover, fold, memory) against a world in
memory: records are produced, delivered, written, answered, committed; partitions are revoked, lost
to another member while the first still works on them, and given back; processes die at any call.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.world import Crash, FakeSource, Item, World, folded_at_once, new_worker
from worker.stream import Worker

RUNS = int(os.environ.get("TRAILWARDEN_MODEL_RUNS", "1000"))
ACTIONS = 40
ENOUGH = 500
TORN = b"\x93\x02\x00\x80"  # of another schema
KINDS = ["event", "event", "event", "repeat", "late", "bad", "canary"]

slots = st.integers(0, 1)
partitions = st.integers(0, 1)
dies_in = st.none() | st.integers(0, 25)
produce = st.tuples(
    st.just("produce"),
    partitions,
    st.lists(st.sampled_from(KINDS), min_size=2, max_size=7),
    st.sampled_from(["blue", "red"]),
    st.integers(0, 45),
)
step = st.tuples(st.just("step"), slots, dies_in)
checkpoint = st.tuples(st.just("checkpoint"), slots, dies_in)
others = st.one_of(
    st.tuples(st.just("kill"), slots),
    st.tuples(st.just("revoke"), partitions),
    st.tuples(st.just("take_away"), partitions),
    st.tuples(st.just("bounce"), partitions),
    st.tuples(st.just("tell_zombie"), slots),
    st.tuples(st.just("send_away"), st.integers(1, 6)),
    st.tuples(st.just("lose_answer")),
    st.tuples(st.just("fill_disk"), st.integers(1, 4)),
    st.tuples(st.just("tear_snapshot"), st.integers(0, 9), st.sampled_from([None, b"", TORN])),
)
actions = st.lists(
    st.one_of(produce, step, step, step, checkpoint, checkpoint, others, others),
    min_size=ACTIONS // 2,
    max_size=ACTIONS,
)


class Machine:
    """Two slots for workers on two partitions."""

    def __init__(self) -> None:
        self.world = World()
        self.numbers = 0
        self.time_s = 0
        self.slots: list[tuple[Worker, FakeSource] | None] = [None, None]
        self.start(0)

    def start(self, slot: int) -> None:
        self.slots[slot] = new_worker(self.world)
        if not self.world.owner:
            self.living(slot)[1].to_assign = list(self.world.log)

    def living(self, slot: int) -> tuple[Worker, FakeSource]:
        found = self.slots[slot]
        assert found is not None
        return found

    def die(self, slot: int) -> None:
        """Take the process away; the group gives its partitions to whoever lives."""
        _, source = self.living(slot)
        self.slots[slot] = None
        for number in [n for n, owner in self.world.owner.items() if owner is source]:
            del self.world.owner[number]
        self.give_free()

    def give_free(self) -> None:
        living = [one for one in self.slots if one is not None]
        promised = {n for _, source in living for n in source.to_assign}
        for number in self.world.log:
            if number not in self.world.owner and number not in promised and living:
                living[number % len(living)][1].to_assign.append(number)

    def guarded(self, slot: int, action: str, crash_in: int | None) -> None:
        """Let a worker do something, a new one if the last has died."""
        if self.slots[slot] is None:
            self.start(slot)
            self.give_free()
        worker, _ = self.living(slot)
        self.world.crash_in = crash_in
        try:
            getattr(worker, action)()
        except Crash:
            self.die(slot)
        self.world.crash_in = None

    def produce(self, partition: int, kinds: list[str], cluster: str, passed_s: int) -> None:
        log = self.world.log[partition]
        self.time_s += passed_s
        for kind in kinds:
            self.numbers += 1
            item = Item(self.numbers, self.time_s, f"{cluster}{partition}")
            if kind == "repeat":
                recent = [i for i in log[-6:] if not i.bad and not i.canary]
                item = recent[0] if recent else item
            elif kind == "late":
                item = Item(item.number, max(0, self.time_s - 100), item.cluster)
            elif kind in {"bad", "canary"}:
                item = Item(item.number, item.time_s, item.cluster, **{kind: True})
            log.append(item)

    def step(self, slot: int, crash_in: int | None) -> None:
        self.guarded(slot, "run_once", crash_in)

    def checkpoint(self, slot: int, crash_in: int | None) -> None:
        self.guarded(slot, "checkpoint", crash_in)

    def kill(self, slot: int) -> None:
        if self.slots[slot] is not None:
            self.die(slot)

    def revoke(self, partition: int) -> None:
        """Move a partition to the other worker, in order."""
        for slot, one in enumerate(self.slots):
            other = self.slots[1 - slot]
            if one and other and self.world.owner.get(partition) is one[1]:
                one[1].to_revoke.append(partition)
                other[1].to_assign.append(partition)

    def take_away(self, partition: int) -> None:
        """Give a partition to the other worker while the first goes on as if it had it."""
        for slot, one in enumerate(self.slots):
            other = self.slots[1 - slot]
            if one and other and self.world.owner.get(partition) is one[1]:
                del self.world.owner[partition]
                other[1].to_assign.append(partition)
                return

    def bounce(self, partition: int) -> None:
        """Let a worker lose a partition and have it again within one poll."""
        for one in self.slots:
            if one and self.world.owner.get(partition) is one[1]:
                del self.world.owner[partition]
                one[1].to_lose.append(partition)
                one[1].to_assign.append(partition)
                return

    def tell_zombie(self, slot: int) -> None:
        one = self.slots[slot]
        if one is not None:
            held = [n for n in one[1].next if self.world.owner.get(n) is not one[1]]
            one[1].to_lose += held

    def send_away(self, seconds: int) -> None:
        self.world.away_until_s = self.world.clock_s + seconds

    def lose_answer(self) -> None:
        self.world.loses_answer = True

    def fill_disk(self, seconds: int) -> None:
        self.world.full_until_s = self.world.clock_s + seconds

    def tear_snapshot(self, number: int, torn: bytes | None) -> None:
        if not self.world.snapshots:
            return
        name = sorted(self.world.snapshots)[number % len(self.world.snapshots)]
        if torn is None:
            del self.world.snapshots[name]
        else:
            self.world.snapshots[name] = torn

    def end(self) -> None:
        """Heal everything, let one worker finish, and look at what is there."""
        self.world.heal()
        for slot, one in enumerate(self.slots):
            if one is not None:
                if self.numbers % 2:  # what they believe to be done is held against them
                    one[0].checkpoint()
                self.die(slot)
        self.world.owner.clear()
        self.start(0)
        worker, _ = self.living(0)
        assert any(not self.goes_on(worker) for _ in range(ENOUGH)), "the worker never ends"
        worker.checkpoint()
        self.check(worker)

    @staticmethod
    def goes_on(worker: Worker) -> bool:
        return bool(worker.run_once() or worker.holdings.failed)

    def check(self, worker: Worker) -> None:
        log = self.world.log
        good = {i.id for items in log.values() for i in items if not i.bad and not i.canary}
        written = Counter(identifier for _, identifier in self.world.documents)
        assert set(written) == good, "lost or invented documents"
        assert set(written.values()) <= {1}, "documents that are there twice"
        bad = {(p, n) for p, items in log.items() for n, i in enumerate(items) if i.bad}
        assert self.world.quarantine == bad
        self.check_archive()
        ends = {number: len(items) for number, items in log.items() if items}
        assert {n: offset for n, (offset, _) in self.world.committed.items()} == ends
        if not self.world.is_rebuilt:
            wanted = folded_at_once(log)
            for number, partition in worker.holdings.partitions.items():
                assert partition.snapshot() == wanted[number].snapshot(), "state is no fold"

    def check_archive(self) -> None:
        for number, items in self.world.log.items():
            mine = sorted(k for k in self.world.segments if k[0] == number)
            chain = [self.world.segments[key] for key in mine]
            ends = [0, *(segment.next for segment, _ in chain)]
            assert ends[:-1] == [segment.first for segment, _ in chain], "gap or overlap"
            assert ends[-1] == len(items)
            hashes = [None, *(segment.sha256 for segment, _ in chain)]
            assert hashes[:-1] == [segment.previous_sha256 for segment, _ in chain]
            archived = Counter(identifier for _, ids in chain for identifier in ids)
            assert set(archived) == {i.id for i in items if not i.bad and not i.canary}
            counts = [c for segment, _ in chain for c in segment.counts.values()]
            assert sum(c.records for c in counts) == len(items), "records not accounted for"
            assert all(c.is_balanced for c in counts)
            assert sum(c.events for c in counts) == archived.total()
            if not self.world.is_rebuilt:
                wanted = folded_events(items)
                assert archived == wanted, "the archive depends on what crashed"


def folded_events(items: list[Item]) -> Counter[str]:
    """Count the events that the log has when nothing ever goes wrong."""
    world = World(1)
    world.log = {0: list(items)}
    worker, source = new_worker(world)
    source.to_assign = [0]
    while worker.step():
        pass
    worker.checkpoint()
    return Counter(i for _, ids in world.segments.values() for i in ids)


@settings(
    max_examples=RUNS,
    deadline=None,
    derandomize=os.environ.get("TRAILWARDEN_MODEL_RANDOM") is None,
    suppress_health_check=list(HealthCheck),
    database=None,
    print_blob=True,
)
@given(actions)
def test_nothing_is_lost_and_nothing_is_there_twice(chosen: list[tuple[Any, ...]]) -> None:
    machine = Machine()
    for name, *arguments in chosen:
        getattr(machine, name)(*arguments)
    machine.end()


def test_what_is_revoked_while_a_sink_waits_for_too_long_is_not_committed() -> None:
    world = World(partitions=1)
    world.log[0] = [Item(n, n) for n in range(3)]
    worker, source = new_worker(world)
    source.to_assign = [0]
    source.serve()
    world.away_until_s = 1e9
    source.to_revoke = [0]
    source.fetches = 2  # the rebalance comes while Elasticsearch is waited for
    world.crash_in = 12
    with pytest.raises(Crash):
        worker.step()
    assert not worker.holdings.partitions
    assert not world.committed
    assert not world.segments
