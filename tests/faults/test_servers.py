"""F5, F6 and F8: servers that die, come back, or stay away lose nothing and disturb no group."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.fleet import PATIENCE_S, Fleet, Worker, wait_for
from tests.faults.harness import Harness, dose, harness
from tests.faults.receiver import Receiver
from worker.chores import BLOCKED_AFTER_S
from worker.services.elasticsearch import LocalElasticsearch
from worker.services.kafka import LocalKafka

pytestmark = [pytest.mark.integration, pytest.mark.chaos]

FENCED = "Static consumer fenced by other consumer"
"""Of a member whose answer to joining was lost with the broker: the name it joined under is not the
one that the broker remembers. No client can tell this from a second process of the same name."""
RECOVERY_S = 120.0
READY_S = 180.0
USUAL = {"session_timeout_s": 45}
"""A machine that stands still for some seconds is no rebalance of the worker's doing."""
GROWTH_MB = 96.0
"""Room for a batch that waits, its documents and librdkafka's own queue (32 MB)."""


def committed(world: Harness) -> int:
    """Return how many records the group has committed, 0 while the broker is away."""
    return sum(world.committed().values())


def progressed(world: Harness, fleet: Fleet) -> int:
    """Return how many records the group has committed, after restarting who ended."""
    fleet.tend()
    return committed(world)


def in_flight(fleet: Fleet, slot: str) -> int:
    """Return what the worker in a slot has taken and not committed, after restarting who ended."""
    fleet.tend()
    return fleet.workers[slot].in_flight()


def test_a_broker_that_is_killed_under_load_loses_nothing(
    tmp_path: Path, module_kafka: LocalKafka, elasticsearch_url: str
) -> None:
    recoveries = []
    with harness(tmp_path, module_kafka.bootstrap, elasticsearch_url) as world:
        with (
            world.fleet(forgives=FENCED) as fleet,
            world.generator(1_000, waits=False) as generator,
        ):
            for slot in ("one", "two"):
                fleet.start(slot)
            for _ in range(dose(3, 20)):
                for slot in fleet.workers:
                    wait_for(lambda: in_flight(fleet, slot), PATIENCE_S, f"{slot} takes records")  # noqa: B023
                module_kafka.kill()
                time.sleep(world.random.uniform(0.5, 2))
                module_kafka.start()
                module_kafka.wait_ready(READY_S)
                began, before = time.monotonic(), committed(world)
                wait_for(lambda: progressed(world, fleet) > before, RECOVERY_S, "progress")  # noqa: B023
                recoveries.append(round(time.monotonic() - began, 1))
            generator.stop()
            world.drain(fleet)
            fleet.stop_all()
        world.judge(generator)
    print(f"fenced {len(fleet.deaths)} times")
    print(f"recovered within {recoveries} s of the broker being ready")


def test_an_elasticsearch_that_is_killed_under_load_loses_nothing(
    tmp_path: Path, kafka: str, module_elasticsearch: LocalElasticsearch
) -> None:
    with harness(tmp_path, kafka, module_elasticsearch.url) as world, world.fleet() as fleet:
        with world.generator(1_000) as generator:
            workers = [fleet.start("one"), fleet.start("two")]
            for _ in range(dose(2, 20)):
                for worker in workers:
                    worker.until(Worker.in_flight, "records are taken")
                module_elasticsearch.kill()
                time.sleep(world.random.uniform(0.5, 2))
                module_elasticsearch.start()
                module_elasticsearch.wait_ready(READY_S)
        world.drain(fleet)
        fleet.stop_all()
        world.judge(generator)
    assert not fleet.deaths


def test_an_elasticsearch_that_stays_away_is_waited_for(
    tmp_path: Path, kafka: str, module_elasticsearch: LocalElasticsearch
) -> None:
    node, away_s = module_elasticsearch, dose(int(BLOCKED_AFTER_S) + 5, 600)
    with (
        Receiver() as receiver,
        harness(
            tmp_path, kafka, node.url, kafka=USUAL, notify={"webhook_url": receiver.url}
        ) as world,
        world.fleet() as fleet,
        world.generator(1_000, waits=False) as generator,
    ):
        worker = fleet.start("one")
        worker.until(Worker.in_flight, "records are taken")
        rebalances = worker.metrics()["trailwarden_rebalances_total"]
        node.kill()
        try:
            resident_mb = watch_while_away(worker, away_s)
            wait_for(lambda: alarms(receiver), 30, "an alarm")
        finally:
            node.start()
            node.wait_ready(READY_S)
        generator.stop()
        world.drain(fleet)
        worker.until(lambda one: one.status("readyz") == 200, "it is ready again")
        wait_for(lambda: any(a.get("resolved") for a in alarms(receiver)), 30, "the alarm's end")
        assert worker.metrics()["trailwarden_rebalances_total"] == rebalances
        fleet.stop_all()
        world.judge(generator)
    assert not fleet.deaths
    grown_mb = max(resident_mb) - resident_mb[0]
    print(f"away {away_s} s, resident {resident_mb[0]:.0f} MB, at most {grown_mb:.0f} MB more")
    assert grown_mb <= GROWTH_MB


def watch_while_away(worker: Worker, away_s: float) -> list[float]:
    """Return resident memory (MB) over time; the worker must live and say that it waits."""
    worker.until(lambda one: one.status("readyz") == 503, "it says that it is not ready")
    resident_mb = []
    deadline = time.monotonic() + away_s
    while time.monotonic() < deadline:
        assert worker.status("healthz") == 200
        assert worker.status("readyz") == 503
        resident_mb.append(worker.resident_mb())
        time.sleep(0.5)
    return resident_mb


def alarms(receiver: Receiver) -> list[dict[str, object]]:
    """Return what was told of Elasticsearch being away."""
    told = [one["alarm"] for one in list(receiver.told) if one["kind"] == "alarm"]
    return [alarm for alarm in told if alarm["name"] == "elasticsearch-blocked"]
