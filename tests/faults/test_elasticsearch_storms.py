"""F7: Elasticsearch refuses, breaks off and loses answers; nothing is lost and nothing is twice."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults.fleet import wait_for
from tests.faults.harness import Harness, dose, harness
from tests.faulty_proxy import Fault, FaultyProxy

pytestmark = pytest.mark.integration

STORMS = {
    Fault.BUSY: 0.10,
    Fault.UNAVAILABLE: 0.08,
    Fault.TOO_LARGE: 0.06,
    Fault.ITEMS: 0.10,
    Fault.LATE: 0.04,
    Fault.LOST: 0.08,
    Fault.RESET: 0.04,
}
"""Half of all bulks."""

GROWTH_MB = 64.0
"""Room for what a worker keeps of some ten thousand events; a queue that grows takes more."""


def through(proxy: FaultyProxy, world: Harness) -> dict[str, str]:
    """Return the environment of workers that reach the node only through the proxy."""
    assert world.settings.elasticsearch.url
    return {
        "TRAILWARDEN_ELASTICSEARCH__URL": proxy.url,
        "TRAILWARDEN_ELASTICSEARCH__REQUEST_TIMEOUT_S": "2",
    }


def test_storms_of_half_of_all_bulks_lose_nothing_and_repeat_nothing(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url, worker={"batch_records": 500}) as world:
        proxy = FaultyProxy(elasticsearch_url, STORMS, world.random.getrandbits(32))
        with proxy, world.fleet(environment=through(proxy, world)) as fleet:
            worker = fleet.start("one")
            with world.generator(1_000) as generator:
                wait_for(worker.in_flight, 60, "records are taken")
                before_mb = worker.resident_mb()
                time.sleep(dose(20, 600))
                wait_for(lambda: {*STORMS} <= {*proxy.seen}, 120, "every fault is seen")
                grown_mb = worker.resident_mb() - before_mb
            proxy.calm()
            world.drain(fleet)
            fleet.stop_all()
        world.judge(generator)
        print(f"{dict(proxy.seen)}, {grown_mb:.0f} MB grown")
    assert grown_mb < GROWTH_MB
    assert fleet.deaths == []


def test_a_full_storm_is_asked_at_most_once_a_second_and_costs_no_memory(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with harness(tmp_path, kafka, elasticsearch_url, worker={"batch_records": 500}) as world:
        proxy = FaultyProxy(elasticsearch_url, {Fault.BUSY: 1.0}, 1)
        with proxy, world.fleet(environment=through(proxy, world)) as fleet:
            worker = fleet.start("one")
            with world.generator(1_000) as generator:
                wait_for(lambda: proxy.seen[Fault.BUSY] >= 3, 60, "the storm is felt")
                asked, before_mb = proxy.seen[Fault.BUSY], worker.resident_mb()
                seconds = dose(20, 600)
                time.sleep(seconds)
                asked = proxy.seen[Fault.BUSY] - asked
                grown_mb = worker.resident_mb() - before_mb
            pages = [(name, worker.status(name)) for name in ("readyz", "healthz")]
            assert pages == [("readyz", 503), ("healthz", 200)], worker.tail()
            proxy.calm()
            world.drain(fleet)
            fleet.stop_all()
        world.judge(generator)
        print(f"{asked} requests in {seconds} s of full storm, {grown_mb:.0f} MB grown")
    assert 0 < asked <= seconds
    assert grown_mb < GROWTH_MB
