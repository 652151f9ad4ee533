"""F20: whatever stops, somebody is told within 90 s, without Elasticsearch."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.collectors.canary import canary_record
from ingest.collectors.producer import RecordProducer
from sinks.alarm import AlarmName
from tests.e2e.commands import service
from tests.faults.fleet import wait_for
from tests.faults.harness import Harness, harness
from tests.faults.planted import Planted, Verdict
from tests.faults.receiver import Receiver
from tests.faults.sender import Sender
from tests.faulty_proxy import Fault, FaultyProxy

pytestmark = pytest.mark.integration

TOLD_S = 90.0
SILENCE_S = 8.0


def named(receiver: Receiver, name: AlarmName, *, resolved: bool) -> list[dict[str, Any]]:
    """Return the alarms told under a name, or their ends."""
    alarms = (one["alarm"] for one in receiver.told if one["kind"] == "alarm")
    told = (one for one in alarms if one["name"] == name.value)
    return [one for one in told if one["resolved"] is resolved]


def is_on(receiver: Receiver, name: AlarmName) -> bool:
    """Whether more alarms of a name were told than their ends."""
    return len(named(receiver, name, resolved=False)) > len(named(receiver, name, resolved=True))


def told_within(receiver: Receiver, name: AlarmName, limit_s: float, *, resolved: bool) -> float:
    """Wait for an alarm; return after how long it came."""
    began = time.monotonic()
    what = f"{name.value}, resolved: {resolved}"
    wait_for(lambda: named(receiver, name, resolved=resolved), limit_s, what)
    return time.monotonic() - began


@contextmanager
def canaries(world: Harness) -> Iterator[None]:
    """Send a source's canary records every half second."""
    stop = threading.Event()
    producer = RecordProducer(world.connection, world.settings.kafka.raw_topic)

    def send() -> None:
        while not stop.wait(0.5):
            envelope, value = canary_record(
                "berlin", "one", "audit.log", datetime.now(UTC), caught_up=True
            )
            producer.send(envelope, value, lambda _: None)
            producer.poll(0.0)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        producer.flush(10.0)
        producer.close()


def test_a_source_that_stops_is_told_of_and_its_return_as_well(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with Receiver() as receiver:
        notify = {"webhook_url": receiver.url, "silence_s": SILENCE_S}
        with (
            harness(tmp_path, kafka, elasticsearch_url, notify=notify) as world,
            world.fleet() as fleet,
        ):
            worker = fleet.start("one")
            seen = 'trailwarden_source_canary_timestamp_seconds{cluster="berlin"'
            with canaries(world):
                wait_for(lambda: any(seen in n for n in worker.metrics()), 60, "a canary is seen")
                assert named(receiver, AlarmName.SOURCE_SILENT, resolved=False) == []
            after_s = told_within(receiver, AlarmName.SOURCE_SILENT, TOLD_S, resolved=False)
            with canaries(world):
                told_within(receiver, AlarmName.SOURCE_SILENT, TOLD_S, resolved=True)
            print(f"a silent source is told of after {after_s:.1f} s, silence_s {SILENCE_S:g}")
            fleet.stop_all()


def test_a_worker_that_stops_for_its_quarantine_limit_tells_why(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    limit = {"quarantine_window": 100, "quarantine_share": 0.25}
    with Receiver() as receiver:
        notify = {"webhook_url": receiver.url}
        with (
            harness(tmp_path, kafka, elasticsearch_url, notify=notify, worker=limit) as world,
            world.fleet() as fleet,
        ):
            with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
                for _ in range(200):
                    sender.send(Planted("berlin", b"no event", Verdict.BAD))
            worker = fleet.start("one")
            wait_for(lambda: not worker.is_alive, TOLD_S, "the worker stops")
            told_within(receiver, AlarmName.QUARANTINE_LIMIT, 1.0, resolved=False)
    (alarm,) = named(receiver, AlarmName.QUARANTINE_LIMIT, resolved=False)
    assert "worker.quarantine_share (0.25)" in str(alarm)


def test_workers_that_hang_are_told_of_by_a_collector(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    log = tmp_path / "audit.log"
    log.touch()
    with Receiver() as receiver:
        settings: dict[str, Any] = {
            "notify": {"webhook_url": receiver.url, "silence_s": SILENCE_S},
            "collect": {"canary_interval_s": 1, "spool": str(tmp_path / "spool")},
            "tail": {"checkpoint_file": str(tmp_path / "tail.json")},
        }
        with (
            harness(tmp_path, kafka, elasticsearch_url, **settings) as world,
            world.fleet() as fleet,
            service(
                tmp_path / "tail.log", "following", "collect", "tail",
                "--config", world.file, "--cluster", "berlin", log,
            ) as tail,
        ):  # fmt: skip
            worker = fleet.start("one")
            wait_for(lambda: any(world.committed().values()), 60, "the worker commits")
            # A slow start may have been told of; then so is its end.
            wait_for(lambda: not is_on(receiver, AlarmName.WORKER_SILENT), 60, "all is well")
            worker.send(signal.SIGSTOP)
            began = time.monotonic()
            wait_for(lambda: is_on(receiver, AlarmName.WORKER_SILENT), TOLD_S, "it is told of")
            after_s = time.monotonic() - began
            assert worker.status("healthz") == 0, "a stopped process answers nobody"
            worker.send(signal.SIGCONT)
            wait_for(lambda: not is_on(receiver, AlarmName.WORKER_SILENT), TOLD_S, "its end")
            print(f"a worker that hangs is told of after {after_s:.1f} s, silence_s {SILENCE_S:g}")
            tail.stop()
            fleet.stop_all()


def test_an_elasticsearch_that_takes_nothing_is_told_of_and_the_worker_stays_healthy(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    with (
        Receiver() as receiver,
        FaultyProxy(elasticsearch_url, {Fault.UNAVAILABLE: 1.0}, 1) as gate,
    ):
        environment = {"TRAILWARDEN_ELASTICSEARCH__URL": gate.url}
        with (
            harness(
                tmp_path, kafka, elasticsearch_url, notify={"webhook_url": receiver.url}
            ) as world,
            world.fleet(environment=environment) as fleet,
        ):
            worker = fleet.start("one")
            with world.generator(100) as generator:
                wait_for(lambda: gate.seen[Fault.UNAVAILABLE], 60, "a bulk is refused")
            after_s = told_within(receiver, AlarmName.ELASTICSEARCH_BLOCKED, TOLD_S, resolved=False)
            assert (worker.status("healthz"), worker.status("readyz")) == (200, 503)
            gate.calm()
            told_within(receiver, AlarmName.ELASTICSEARCH_BLOCKED, TOLD_S, resolved=True)
            print(f"Elasticsearch is told of after {after_s:.1f} s")
            world.drain(fleet)
            fleet.stop_all()
            world.judge(generator)


def test_a_node_that_hangs_leaves_the_worker_healthy_and_not_ready(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    """Each request ends by its own limit; the port answers meanwhile, from another thread."""
    with FaultyProxy(elasticsearch_url, {Fault.LATE: 1.0}, 1) as gate:
        environment = {
            "TRAILWARDEN_ELASTICSEARCH__URL": gate.url,
            "TRAILWARDEN_ELASTICSEARCH__REQUEST_TIMEOUT_S": "3",
        }
        with (
            harness(tmp_path, kafka, elasticsearch_url) as world,
            world.fleet(environment=environment) as fleet,
        ):
            worker = fleet.start("one")
            with world.generator(100) as generator:
                wait_for(lambda: gate.seen[Fault.LATE] > 1, 60, "bulks hang")
            assert (worker.status("healthz"), worker.status("readyz")) == (200, 503)
            gate.calm()
            world.drain(fleet)
            fleet.stop_all()
            world.judge(generator)
