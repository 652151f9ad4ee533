"""What an API server saw acknowledged is in the topic, whatever dies (P1; reliability F16)."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.ingest.collectors.audit_backend import AuditBackend
from tests.ingest.collectors.webhook_process import WebhookProcess
from worker.services.kafka import LocalKafka

pytestmark = pytest.mark.integration

KILLS = 20


def new_topic(kafka: str) -> str:
    name = f"webhook-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
    return name


@pytest.fixture
def topic(kafka: str) -> Iterator[str]:
    name = new_topic(kafka)
    yield name
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.delete_topics([name])[name].result(30)


def stored(kafka: str, topic: str) -> list[str]:
    """Enumerate a topic to its end."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": topic, "enable.auto.commit": False}
    )
    try:
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, n), 30)[1] for n in range(2)]
        consumer.assign([TopicPartition(topic, n, OFFSET_BEGINNING) for n in range(2)])
        found: list[str] = []
        deadline = time.monotonic() + 30
        while len(found) < sum(ends):
            assert time.monotonic() < deadline
            values = [m.value() for m in consumer.consume(1_000, 0.2) if not m.error()]
            found += [msgspec.json.decode(value or b"")["auditID"] for value in values]
        return found
    finally:
        consumer.close()


class Load:
    """Makes events until told to end, at a steady rate."""

    def __init__(self, backend: AuditBackend, a_second: int) -> None:
        self.made = 0
        self._backend, self._pause_s = backend, 50 / a_second
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._make)
        backend.start()
        self._thread.start()

    def end(self) -> None:
        self._end.set()
        self._thread.join()
        self._backend.end()

    def _make(self) -> None:
        while not self._end.wait(self._pause_s):
            for _ in range(50):
                self._backend.process(f"event-{self.made}")
                self.made += 1


def test_two_replicas_that_are_killed_again_and_again_lose_nothing(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    seeded = random.Random(16)
    replicas = [WebhookProcess(kafka, topic, tmp_path / f"{number}.log") for number in range(2)]
    backend = AuditBackend([replica.port for replica in replicas], senders=16)
    try:
        for replica in replicas:
            replica.start()
        load = Load(backend, a_second=4_000)
        for kill in range(KILLS):
            time.sleep(seeded.uniform(0.05, 0.4))  # the moment of the kill is what is drawn
            replicas[kill % 2].kill()
            replicas[kill % 2].start()
        load.end()
        codes = [replica.stop() for replica in replicas]
    finally:
        for replica in replicas:
            replica.kill()
    found = stored(kafka, topic)
    print(load.made, backend.outcomes, len(backend.acknowledged), len(found))
    assert codes == [0, 0]
    assert load.made > 3_000
    assert backend.acknowledged <= set(found)
    assert len(backend.acknowledged) > load.made / 2
    assert sum(n for name, n in backend.outcomes.items() if not name.isdigit()) > KILLS / 2
    assert set(backend.outcomes) & {"400", "404", "500"} == set()


def test_a_caller_that_waits_in_blocking_mode_is_never_told_a_lie(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    replica = WebhookProcess(kafka, topic, tmp_path / "log")
    backend = AuditBackend([replica.port], first_pause_s=0.3)
    told: list[str] = []

    def call(number: int) -> None:
        seeded = random.Random(number)
        for event in range(100):
            audit_id = f"call-{number}-{event}"
            if backend.process_blocking(audit_id, seeded):
                told.append(audit_id)

    replica.start()
    callers = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    try:
        for caller in callers:
            caller.start()
        for _ in range(3):
            time.sleep(0.2)  # the moment of the kill is any
            replica.kill()
            replica.start()
        for caller in callers:
            caller.join()
        assert replica.stop() == 0
    finally:
        replica.kill()
    found = stored(kafka, topic)
    print(backend.outcomes, len(told), len(found))
    assert len(told) > 700
    assert set(told) <= set(found)


def test_while_the_broker_is_away_nothing_is_acknowledged_and_readiness_says_so(
    own_kafka: LocalKafka, tmp_path: Path
) -> None:
    topic = new_topic(own_kafka.bootstrap)
    replica = WebhookProcess(own_kafka.bootstrap, topic, tmp_path / "log")
    # Longer pauses than the outage, as the real ones are: nothing has to be dropped.
    backend = AuditBackend([replica.port], first_pause_s=4.0)
    replica.start()
    try:
        load = Load(backend, a_second=500)
        _wait(lambda: len(backend.acknowledged) > 500)
        own_kafka.kill()
        _wait(lambda: replica.page("readyz")[0] == 503)
        _wait(lambda: backend.outcomes["503"] > 0)
        assert replica.page("healthz")[0] == 200
        before = len(backend.acknowledged)
        own_kafka.start()
        own_kafka.wait_ready()
        _wait(lambda: len(backend.acknowledged) > before + 500)
        _wait(lambda: replica.page("readyz")[0] == 200)
        load.end()
        assert replica.stop() == 0
    finally:
        replica.kill()
    found = stored(own_kafka.bootstrap, topic)
    print(load.made, backend.outcomes, len(backend.acknowledged), len(found), len(backend.dropped))
    assert backend.dropped == set()
    assert len(backend.acknowledged) == load.made
    assert backend.acknowledged <= set(found)


def _wait(true: object) -> None:
    end = time.monotonic() + 60
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)
