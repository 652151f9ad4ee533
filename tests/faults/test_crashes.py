"""F1 and F2: a worker that dies at any moment loses nothing and shows nothing twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.faults.fleet import PATIENCE_S, Fleet, Worker, positions, wait_for
from tests.faults.harness import dose, harness
from worker.crash_points import CrashPoint

pytestmark = pytest.mark.integration

IN_FLIGHT_SHARE = 0.9
KILLS = dose(10, 30)
ROUNDS = range(dose(1, 10))
"""Each with a topic of its own: what the oracle enumerates stays small."""

ASKED = {CrashPoint.IN_REVOKE: signal.SIGTERM, CrashPoint.IN_RELOAD: signal.SIGHUP}
"""What a worker does only when it is asked to."""


@pytest.mark.parametrize("_round", ROUNDS)
def test_a_crash_at_each_point_loses_nothing_and_repeats_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str, _round: int
) -> None:
    reached = []
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        with world.generator(1_000) as generator:
            for point in CrashPoint:
                is_once = point in {
                    CrashPoint.IN_ASSIGN,
                    CrashPoint.IN_REVOKE,
                    CrashPoint.IN_RELOAD,
                }
                turn = 1 if is_once else world.random.randint(1, 2)
                worker = fleet.start("one", f"{point.value}:{turn}")
                if (asked := ASKED.get(point)) is not None:
                    worker.until(Worker.in_flight, "records are taken")
                    worker.send(asked)
                code = worker.process.wait(PATIENCE_S)
                reached.append((point, code))
                fleet.note(worker)
        fleet.start("one")
        world.drain(fleet)
        fleet.stop_all()
        verdicts = world.judge(generator)
    assert verdicts.closed > 0
    assert {point for point, code in reached if code == -signal.SIGKILL} == {*CrashPoint}


def _is_settled(fleet: Fleet, partitions: int) -> bool:
    """Whether each worker took records of some partitions, and all together of each once."""
    held = [set(positions(worker.metrics())) for worker in fleet.workers.values()]
    return all(held) and sum(map(len, held)) == len(set().union(*held)) == partitions


@pytest.mark.parametrize("_round", ROUNDS)
def test_random_kills_lose_nothing_and_repeat_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str, _round: int
) -> None:
    busy = 0
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        with world.generator(2_000) as generator:
            slots = ["one", "two"]
            for slot in slots:
                fleet.start(slot)
            for number in range(KILLS):
                worker = fleet.workers[slots[number % 2]]
                worker.until(Worker.in_flight, "records are taken")
                time.sleep(world.random.uniform(0, 1.5))
                # A static member that dies between giving partitions up and joining again comes
                # back to what it keeps, and nobody asks for the rest (docs/operations.md).
                wait_for(lambda: _is_settled(fleet, world.partitions), PATIENCE_S, "settled")
                worker.until(Worker.in_flight, "more are taken")
                taken = positions(worker.metrics())
                worker.kill()
                held = world.committed()
                busy += any(taken[number] > held.get(number, 0) for number in taken)
                fleet.tend()
        world.drain(fleet)
        fleet.stop_all()
        verdicts = world.judge(generator)
    assert verdicts.closed > 0
    print(f"{busy} of {KILLS} kills with a batch in flight")
    assert len(fleet.deaths) == KILLS
    assert busy >= IN_FLIGHT_SHARE * KILLS
