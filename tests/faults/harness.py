"""A topic, templates, a store folder and settings of a test's own; workers and the oracle on them.

Separate from the faults, which say only what is done to whom and what must hold.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final
from uuid import uuid4

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.collectors.producer import MAX_MESSAGE_BYTES
from sinks.elasticsearch import setup
from sinks.elasticsearch.connection import Client
from sinks.elasticsearch.templates import SetupOptions
from sinks.topic_reader import TopicUnreadableError, committed_offsets, spans_of
from tests.faults.fleet import POLL_S, Fleet
from tests.faults.generator import Generator
from tests.faults.oracle import Verdicts, judge
from tests.faults.planted import ORDINARY, Planter, Shares
from worker.configuration import Settings, load_settings
from worker.elasticsearch_client import connect_elasticsearch
from worker.kafka_client import client_config
from worker.settings import shipped_rules

SEED: Final = "TRAILWARDEN_FAULT_SEED"
DOSE: Final = "TRAILWARDEN_FAULT_DOSE"
OVER_TIME: Final = Path(__file__).parent / "over_time"
"""Episodes of what is planted, so that state over time is in every fault."""

DRAIN_S: Final = 240.0


def is_chaos() -> bool:
    """Whether the long dose is asked for."""
    return os.environ.get(DOSE) == "chaos"


def dose(short: int, long: int) -> int:
    """Return how often a fault is done: CI's dose, or that of `make chaos`."""
    return long if is_chaos() else short


def seed() -> int:
    """Return the seed of a run, printed: TRAILWARDEN_FAULT_SEED replays it."""
    given = os.environ.get(SEED)
    drawn = int(given) if given else SystemRandom().randrange(1 << 32)
    print(f"{SEED}={drawn}")
    return drawn


@dataclass(slots=True)
class Harness:
    """One test's world."""

    folder: Path
    settings: Settings
    file: Path
    client: Client
    random: Random
    planter: Planter
    partitions: int
    began_s: float = field(default_factory=time.monotonic)

    @property
    def connection(self) -> dict[str, object]:
        return client_config(self.settings.kafka)

    def fleet(self, **options: Any) -> Fleet:
        """Return workers on these settings; none runs yet."""
        return Fleet(self.file, self.folder / "logs", **options)

    def generator(self, rate: int, *, waits: bool = True) -> Generator:
        """Return a source of records; entering it starts it. It waits for slow workers."""
        topic, lag = self.settings.kafka.raw_topic, self.lag if waits else None
        return Generator(self.connection, topic, self.planter, rate, lag)

    def committed(self) -> dict[int, int]:
        """Return what the group has committed, by partition; nothing while the broker is away."""
        topic, group = self.settings.kafka.raw_topic, self.settings.kafka.group
        try:
            return committed_offsets(self.connection, topic, group, range(self.partitions))
        except TopicUnreadableError:
            return {}

    def lag(self) -> int | None:
        """Return how many records the group has not committed, None if the broker is away."""
        try:
            spans = spans_of(self.connection, self.settings.kafka.raw_topic)
        except TopicUnreadableError:
            return None
        held = self.committed()
        return sum(span.end - held.get(span.partition, span.low) for span in spans)

    def drain(self, fleet: Fleet, timeout_s: float = DRAIN_S) -> None:
        """Restart who dies until the group has committed all there is."""
        deadline = time.monotonic() + timeout_s
        while True:
            fleet.tend()
            lag = self.lag()
            if lag == 0:
                return
            if time.monotonic() > deadline:
                tails = "\n".join(worker.tail() for worker in fleet.workers.values())
                raise AssertionError(f"{lag} records are not done in {timeout_s:.0f} s:\n{tails}")
            time.sleep(4 * POLL_S)

    def judge(self, *generators: Generator) -> Verdicts:
        """Compare everything with what was planted; print what was counted."""
        sent = [planted for generator in generators for planted in generator.sent]
        verdicts = judge(self.settings, self.client, sent)
        print(f"{verdicts} in {time.monotonic() - self.began_s:.1f} s")
        return verdicts


@contextmanager
def harness(
    folder: Path,
    bootstrap_servers: str,
    elasticsearch_url: str,
    *,
    partitions: int = 4,
    shares: Shares = ORDINARY,
    **groups: dict[str, Any],
) -> Iterator[Harness]:
    """Set a world up; what was made on the servers is deleted afterwards.

    Parameters
        groups: settings by group that win over those of a test: ``worker={"batch_records": 5}``.
    """
    name = f"fault{uuid4().hex[:10]}"
    number = seed()
    file = folder / "settings.yml"
    key = folder / "redaction.key"
    key.write_bytes(b"a key of this test only")
    wanted: dict[str, dict[str, Any]] = {
        "kafka": {
            "bootstrap_servers": bootstrap_servers,
            "raw_topic": f"{name}raw",
            "quarantine_topic": f"{name}quarantine",
            "signals_topic": f"{name}signals",
            "group": name,
            "session_timeout_s": 6,
        },
        "elasticsearch": {
            "url": elasticsearch_url,
            "prefix": name,
            "replicas": 0,
            "events": "all",
            "request_timeout_s": 10,
        },
        "store": {"folder": str(folder / "store")},
        "checkpoint": {"interval_s": 1, "snapshot_interval_s": 2, "revoke_deadline_s": 4},
        "worker": {
            "redaction_key_file": str(key),
            "batch_records": 2_000,
            "rules": [str(shipped_rules()), str(OVER_TIME)],
        },
        "telemetry": {"port": 0},
    }
    for group, values in groups.items():
        wanted.setdefault(group, {}).update(values)
    file.write_text(json.dumps(wanted))  # JSON is YAML
    settings = load_settings(file)
    client = connect_elasticsearch(settings.elasticsearch)
    admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
    kafka = settings.kafka
    topics = {kafka.raw_topic: partitions, kafka.quarantine_topic: 1, kafka.signals_topic: 2}
    _create(admin, topics)
    options = SetupOptions(prefix=name, replicas=0, version="fault")
    setup.apply(client, options)
    planter = Planter(number, shares)
    try:
        yield Harness(folder, settings, file, client, Random(number), planter, partitions)
    finally:
        _delete(client, name)
        client.close()
        for done in admin.delete_topics(list(topics)).values():
            done.exception(30)


def _create(admin: AdminClient, topics: dict[str, int]) -> None:
    config = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
    new = [NewTopic(topic, number, 1, config=config) for topic, number in topics.items()]
    for done in admin.create_topics(new).values():
        done.result(60)


def _delete(client: Client, name: str) -> None:
    """Delete all indices and templates that begin with the test's own name."""
    names = list(client.indices.get(index=f"{name}-*", expand_wildcards="all"))
    for index in names:
        client.indices.delete(index=index)
    for template in client.indices.get_index_template(name=f"{name}*")["index_templates"]:
        client.indices.delete_index_template(name=template["name"])
    for part in client.cluster.get_component_template(name=f"{name}*")["component_templates"]:
        client.cluster.delete_component_template(name=part["name"])
