"""F3 and F4: workers that come, go, die or sleep through their session share the log correctly."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.faults.fleet import Fleet, Worker, positions, wait_for
from tests.faults.harness import Harness, dose, harness, is_chaos
from worker.services.kafka import LocalKafka

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

SETTLED_S = 180.0


def holds_some(worker: Worker) -> bool:
    return worker.status("readyz") == 200


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_a_zombie_commits_nothing_and_repeats_only_ids(
    tmp_path: Path, module_kafka: LocalKafka, elasticsearch_url: str, protocol: str
) -> None:
    zombies = dose(3 if protocol == "classic" else 2, 25)
    with (
        harness(
            tmp_path, module_kafka.bootstrap, elasticsearch_url, kafka={"group_protocol": protocol}
        ) as world,
        world.fleet(is_static=False) as fleet,
        world.generator(1_000) as generator,
    ):
        fleet.start("one")
        fleet.start("two")
        for number in range(zombies):
            wait_for(
                lambda: is_shared_out(fleet, world.partitions),
                SETTLED_S,
                "each partition is in the hands of one, and nobody's are empty",
            )
            make_zombie(fleet, ("one", "two")[number % 2])
        generator.stop()
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    assert not fleet.deaths
    fenced = sum(len(list(fleet.logged(event))) for event in ("commit-refused", "lost"))
    print(f"{protocol}: {zombies} zombies, {fenced} partitions lost or commits refused")
    assert fenced >= zombies


def make_zombie(fleet: Fleet, slot: str) -> None:
    """Stop a worker in the middle of a batch until another has its partitions, then wake it."""
    zombie = fleet.workers[slot]
    heir = next(one for name, one in fleet.workers.items() if name != slot)
    zombie.until(Worker.in_flight, "records are taken")
    zombie.send(signal.SIGSTOP)
    try:
        began, before = time.monotonic(), len(heir.lines("assigned"))
        heir.until(lambda one: len(one.lines("assigned")) > before, "it inherits")
        print(f"{slot} slept {time.monotonic() - began:.1f} s")
    finally:
        zombie.send(signal.SIGCONT)
    zombie.until(lambda one: one.lines("lost") or one.lines("commit-refused"), "it is told")


def is_shared_out(fleet: Fleet, partitions: int) -> bool:
    """Return whether a rebalance is over: who was told that it lost may not have let go yet."""
    held = [set(positions(worker.metrics())) for worker in fleet.workers.values()]
    return all(held) and sum(map(len, held)) == len(set[int]().union(*held)) == partitions


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_workers_come_and_go_and_the_log_is_read_once(
    tmp_path: Path, module_kafka: LocalKafka, elasticsearch_url: str, protocol: str
) -> None:
    sizes = [1, 4, 2, 6, 1] if is_chaos() else [1, 4, 1] if protocol == "classic" else [1, 3, 1]
    changes = 0
    with (
        harness(
            tmp_path,
            module_kafka.bootstrap,
            elasticsearch_url,
            partitions=12,
            kafka={"group_protocol": protocol},
        ) as world,
        world.fleet(is_static=False) as fleet,
        world.generator(1_000) as generator,
    ):
        for size in sizes * dose(1, 5):
            changes += resize(world, fleet, size)
        generator.stop()
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    print(f"{protocol}: {changes} changes of membership, {len(fleet.deaths)} of them kills")
    assert changes >= sum(abs(a - b) for a, b in zip([0, *sizes], sizes, strict=False))


def resize(world: Harness, fleet: Fleet, size: int) -> int:
    """Start or end workers until there are so many and each holds a partition."""
    changes = 0
    while len(fleet.workers) < size:
        fleet.start(f"w{len(fleet.everyone)}")
        changes += 1
    while len(fleet.workers) > size:
        slot = world.random.choice(sorted(fleet.workers))
        (fleet.kill if changes % 2 else fleet.stop)(slot)
        changes += 1
    for worker in fleet.workers.values():
        worker.until(holds_some, "it holds a partition", SETTLED_S)
    wait_for(
        lambda: any(worker.in_flight() for worker in fleet.workers.values()), SETTLED_S, "it flows"
    )
    return changes
