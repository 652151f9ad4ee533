"""F1 and F2: a worker that dies at any moment loses nothing and shows nothing twice."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.faults.fleet import Worker
from tests.faults.harness import dose, harness
from worker.crash_points import CrashPoint

pytestmark = pytest.mark.integration

IN_FLIGHT_SHARE = 0.9


def test_a_crash_at_each_point_loses_nothing_and_repeats_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    reached = []
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        with world.generator(1_000) as generator:
            for point in [*CrashPoint] * dose(1, 10):
                turn = world.random.randint(1, 2) if point is not CrashPoint.IN_ASSIGN else 1
                turn = 1 if point is CrashPoint.IN_REVOKE else turn
                worker = fleet.start("one", f"{point.value}:{turn}")
                if point is CrashPoint.IN_REVOKE:
                    worker.until(Worker.in_flight, "records are taken")
                    worker.send(signal.SIGTERM)
                code = worker.process.wait(60)
                reached.append((point, code))
                fleet.note(worker)
        fleet.start("one")
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    assert {point for point, code in reached if code == -signal.SIGKILL} == {*CrashPoint}


def test_random_kills_lose_nothing_and_repeat_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    kills = dose(30, 300)
    busy = 0
    with harness(tmp_path, kafka, elasticsearch_url) as world, world.fleet() as fleet:
        with world.generator(2_000) as generator:
            slots = ["one", "two"]
            for slot in slots:
                fleet.start(slot)
            for number in range(kills):
                worker = fleet.workers[slots[number % 2]]
                worker.until(Worker.in_flight, "records are taken")
                time.sleep(world.random.uniform(0, 1.5))
                busy += worker.in_flight() > 0
                worker.kill()
                fleet.tend()
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    print(f"{busy} of {kills} kills with a batch in flight")
    assert len(fleet.deaths) == kills
    assert busy >= IN_FLIGHT_SHARE * kills
