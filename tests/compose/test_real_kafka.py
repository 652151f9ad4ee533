"""The broker's settings and rights of compose/, on a real broker."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from ingest.salvage import MAX_RECORD_BYTES
from sinks.topics import TopicOptions, apply
from tests.compose.stack import COMPOSE, script
from worker.services.detached import Detached
from worker.services.jar_lock import Server, locked_jars
from worker.services.jar_store import maven_repository, verified_paths
from worker.services.java import java_executable
from worker.services.ports import free_port
from worker.services.readiness import wait_until_ready

pytestmark = pytest.mark.integration
NAMES = ("CLIENTS", "ADMIN", "SHIPPERS", "CONTROLLER")


@dataclass(frozen=True, slots=True)
class Broker:
    """Its ports by listener, and the folder of credentials."""

    ports: dict[str, int]
    credentials: Path

    def client(self, user: str, password: str, listener: str = "CLIENTS") -> dict[str, Any]:
        """Return what a client with a password needs."""
        return {
            "bootstrap.servers": f"localhost:{self.ports[listener]}",
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": (self.credentials / password).read_text(),
            "ssl.ca.location": str(self.credentials / "ca.crt"),
        }

    def admin(self) -> dict[str, Any]:
        """Return what setup connects with."""
        return {
            "bootstrap.servers": f"localhost:{self.ports['ADMIN']}",
            "security.protocol": "SSL",
            "ssl.ca.location": str(self.credentials / "ca.crt"),
            "ssl.certificate.location": str(self.credentials / "setup.crt"),
            "ssl.key.location": str(self.credentials / "setup.key"),
        }


def properties(folder: Path, broker: Broker) -> Path:
    """Write compose's settings with this machine's paths and ports."""
    text = (COMPOSE / "kafka" / "server.properties").read_text()
    text = text.replace("/run/secrets", str(broker.credentials))
    text = text.replace("/var/lib/kafka/data", str(folder / "data"))
    lines = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "listeners":
            value = ",".join(f"{name}://localhost:{broker.ports[name]}" for name in NAMES)
        if key == "controller.quorum.voters":
            value = f"1@localhost:{broker.ports['CONTROLLER']}"
        lines.append(f"{key}={value}" if value and not line.startswith("#") else line)
    file = folder / "server.properties"
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, credentials: Path) -> Iterator[Broker]:
    folder = tmp_path_factory.mktemp("kafka")
    made = Broker({name: free_port() for name in NAMES}, credentials)
    file = properties(folder, made)
    jars = verified_paths(locked_jars(Server.KAFKA), maven_repository())
    java = [str(java_executable()), "-Xmx512m", "-cp", os.pathsep.join(map(str, jars))]
    java.insert(1, f"-Dlog4j2.configurationFile={COMPOSE / 'kafka' / 'log4j2.yaml'}")
    cluster = (credentials / "kafka_cluster_id").read_text()
    formatting = ["format", "--ignore-formatted", "--cluster-id", cluster, "--config", str(file)]
    subprocess.run([*java, "kafka.tools.StorageTool", *formatting], check=True, timeout=60)
    process = Detached(folder / "process")
    advertised = ",".join(f"{name}://localhost:{made.ports[name]}" for name in NAMES[:3])
    override = ["--override", f"advertised.listeners={advertised}"]
    process.start([*java, "kafka.Kafka", str(file), *override], "localhost", os.environ)
    try:
        admin = AdminClient(made.admin())
        wait_until_ready("Kafka", lambda: trouble(admin), 120.0, process)
        access: Any = script("kafka/access.py")
        access.SECRETS, access.SHIPPERS = credentials, credentials / "shippers"
        access.BROKER = f"localhost:{made.ports['ADMIN']}"
        access.main()
        apply(made.admin(), TopicOptions(partitions=2, replication_factor=1))
        access.main()
        yield made
    finally:
        process.stop(10.0)


def trouble(admin: AdminClient) -> str | None:
    try:
        admin.list_topics(timeout=2.0)
    except KafkaException as error:
        return str(error)
    return None


def sent(config: dict[str, Any], topic: str, size: int = 10) -> str | None:
    """Send one record; return the error's name, None if it was acknowledged."""
    answers: list[str | None] = []
    limits = {"message.timeout.ms": 15_000, "message.max.bytes": MAX_RECORD_BYTES + (64 << 10)}
    producer = Producer({**config, **limits, "acks": "all", "enable.idempotence": True})
    producer.produce(
        topic,
        os.urandom(size),
        key=b"prod-eu",
        on_delivery=lambda error, _: answers.append(None if error is None else error.name()),
    )
    producer.flush(20.0)
    return answers[0]


def test_a_collector_writes_the_largest_record(broker: Broker) -> None:
    webhook = broker.client("webhook", "kafka_webhook_password")
    assert sent(webhook, "raw", MAX_RECORD_BYTES) is None


@pytest.mark.parametrize(
    ("user", "password", "topic"),
    [
        ("webhook", "kafka_webhook_password", "inbox.prod-eu"),
        ("webhook", "kafka_webhook_password", "quarantine"),
        ("shipper-prod-eu", "shippers/prod-eu", "raw"),
        ("shipper-prod-eu", "shippers/prod-eu", "inbox.staging"),
        ("inbox", "kafka_inbox_password", "inbox.prod-eu"),
    ],
)
def test_nobody_writes_what_is_not_theirs(
    broker: Broker, user: str, password: str, topic: str
) -> None:
    assert sent(broker.client(user, password), topic) == "TOPIC_AUTHORIZATION_FAILED"


def test_a_shipper_writes_its_inbox_from_outside(broker: Broker) -> None:
    shipper = broker.client("shipper-prod-eu", "shippers/prod-eu", "SHIPPERS")
    assert sent(shipper, "inbox.prod-eu", MAX_RECORD_BYTES) is None


def test_a_wrong_password_is_no_way_in(broker: Broker) -> None:
    admin = AdminClient(broker.client("webhook", "kafka_worker_password"))
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=3.0)


def test_without_a_certificate_nobody_administers(broker: Broker) -> None:
    config = {k: v for k, v in broker.admin().items() if ".certificate." not in k}
    config.pop("ssl.key.location")
    with pytest.raises(KafkaException):
        AdminClient(config).list_topics(timeout=3.0)
