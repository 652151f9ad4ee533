from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from typer.testing import CliRunner, Result

from ingest.envelope import Envelope, Format, headers_of
from ingest.record import Reason, Refused, Stage
from ingest.schema import empty_events
from sinks.archive import Counts, SegmentWriter
from sinks.quarantine import Place, QuarantineTopic, refused_document
from tests.sinks.kafka_topics import Sender, fresh_topic
from trailwarden.commands.ledger import EXAMPLES, ledger

pytestmark = pytest.mark.integration

HOUR = datetime(2026, 11, 21, 12, tzinfo=UTC)
PARTITION = 1

app = typer.Typer()
app.command(epilog=EXAMPLES)(ledger)


class Service:
    """A topic with messages, and what workers would have archived and quarantined of them."""

    def __init__(self, kafka: str, raw: str, quarantine: str, folder: Path) -> None:
        self.kafka = kafka
        self.raw = raw
        self.group = f"{raw}-workers"
        self.folder = folder
        self.sender = Sender(kafka, raw)
        self.quarantine = QuarantineTopic({"bootstrap.servers": kafka}, quarantine)
        self.file = folder / "settings.yml"
        self.file.write_text(
            f"kafka:\n  bootstrap_servers: {kafka}\n  raw_topic: {raw}\n"
            f"  quarantine_topic: {quarantine}\n  group: {self.group}\nstore:\n  folder: {folder}\n"
        )
        self._previous: str | None = None

    def receive(self, count: int, cluster: str = "blue", minute: int = 5) -> None:
        envelope = Envelope(
            cluster, "tail-1", Format.RECORD, HOUR.replace(minute=minute), "audit.log"
        )
        for _ in range(count):
            self.sender.send(b"{}", PARTITION, cluster.encode(), [*headers_of(envelope)])

    def archive(self, first: int, end: int, **counts: int) -> None:
        """Write a segment whose events are all repeats: the ledger reads no rows."""
        writer = SegmentWriter(self.folder / "archive", self.raw, PARTITION, first, self._previous)
        writer.write(empty_events())
        size = end - first
        writer.count("blue", HOUR, Counts(**({"records": size, "repeats": size} | counts)))
        self._previous = writer.close(end).sha256

    def refuse(self, offset: int) -> None:
        place = Place(self.raw, PARTITION, offset)
        envelope = Envelope("blue", "tail-1", Format.RECORD, HOUR, "audit.log")
        refused = Refused(Stage.DECODE, Reason.NOT_JSON, "raw", offset, 2, "0" * 64, "no")
        self.quarantine.add(refused_document(refused, envelope, place))
        assert self.quarantine.flush(30)

    def commit(self, offset: int) -> None:
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.group})
        consumer.commit(offsets=[TopicPartition(self.raw, PARTITION, offset)], asynchronous=False)
        consumer.close()

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(self.file), *arguments])

    def ledger(self, *arguments: str) -> dict[str, Any]:
        done = self.run("--json", *arguments)
        found: dict[str, Any] = orjson.loads(done.stdout)
        assert done.exit_code == (0 if found["accounted"] else 1)
        return found


@pytest.fixture
def service(kafka: str, tmp_path: Path) -> Iterator[Service]:
    with fresh_topic(kafka, "e-raw") as raw, fresh_topic(kafka, "e-quarantine") as quarantine:
        yield Service(kafka, raw, quarantine, tmp_path)


def faults(found: dict[str, Any]) -> list[str]:
    return [difference["kind"] for difference in found["differences"]]


def test_every_record_is_accounted_for_and_the_rest_is_pending(service: Service) -> None:
    service.receive(10)
    service.archive(0, 6)
    service.archive(6, 8)
    found = service.ledger()
    assert found["accounted"]
    assert found["hours"] == [
        {
            "cluster": "blue",
            "hour": "2026-11-21T12:00:00+00:00",
            "received": 8,
            "records": 8,
            "events": 0,
            "repeats": 8,
            "late": 0,
            "quarantined": 0,
            "canaries": 0,
            "unwanted": 0,
            "extra": 0,
        }
    ]
    states = {p["partition"]: (p["archived"], p["pending"]) for p in found["partitions"]}
    assert states == {0: (None, 0), PARTITION: (8, 2)}


def test_a_record_that_the_archive_does_not_cover_is_missing(service: Service) -> None:
    service.receive(10)
    service.archive(0, 10, records=9, repeats=9)
    found = service.ledger()
    assert faults(found) == ["received"]
    assert (found["differences"][0]["expected"], found["differences"][0]["found"]) == (10, 9)


def test_a_cluster_that_the_archive_does_not_know_is_missing(service: Service) -> None:
    service.receive(3)
    service.receive(2, cluster="red")
    service.archive(0, 5, records=3, repeats=3)
    assert [d["cluster"] for d in service.ledger()["differences"]] == ["red"]


def test_refused_records_must_be_in_quarantine_once_each(service: Service) -> None:
    service.receive(4)
    service.archive(0, 4, repeats=2, quarantined=2)
    service.refuse(1)
    service.refuse(1)
    assert faults(service.ledger()) == ["quarantine"]
    service.refuse(2)
    assert service.ledger()["accounted"]


def test_a_commit_ahead_of_the_archive_is_a_loss(service: Service) -> None:
    service.receive(4)
    service.archive(0, 3)
    service.commit(3)
    assert service.ledger()["accounted"]
    service.commit(4)
    assert faults(service.ledger()) == ["committed"]
    admin = AdminClient({"bootstrap.servers": service.kafka})
    admin.delete_consumer_groups([service.group])[service.group].result(30)


def delete_before(service: Service, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": service.kafka})
    place = TopicPartition(service.raw, PARTITION, offset)
    admin.delete_records([place])[place].result(30)


def test_what_retention_deleted_is_not_compared_and_said(service: Service) -> None:
    service.receive(9)
    for first in (0, 3, 6):
        service.archive(first, first + 3)
    delete_before(service, 4)
    found = service.ledger()
    assert found["accounted"]
    assert found["partitions"][PARTITION]["compared_from"] == 6
    assert found["hours"][0]["received"] == 3
    assert "compared from offset 6 on, what is older is no longer retained" in service.run().stdout


def test_what_retention_deleted_too_early_is_lost(service: Service) -> None:
    service.receive(9)
    service.archive(0, 3)
    delete_before(service, 5)
    assert faults(service.ledger()) == ["lost"]


def test_nothing_is_compared_from_a_time_on_that_has_not_come(service: Service) -> None:
    service.receive(3)
    service.archive(0, 3)
    found = service.ledger("--since", "2100-01-01")
    assert (found["accounted"], found["hours"]) == (True, [])


def test_people_read_a_table_and_a_sentence_for_each_difference(
    service: Service, tmp_path: Path
) -> None:
    metrics = tmp_path / "metrics"
    metrics.write_text(
        'apiserver_audit_event_total 1234\napiserver_audit_error_total{plugin="webhook"} 5\n'
    )
    service.receive(4)
    service.archive(0, 3, records=2, repeats=2)
    done = service.run("--apiserver-metrics", str(metrics))
    assert done.exit_code == 1
    assert "pending, behind the archive: 1\n" in done.stdout
    assert "API server: 1,234 audit events, errors: webhook 5" in done.stdout
    assert (
        "partition 1, blue, 2026-11-21 12h: received: "
        "3 messages were received, 2 are accounted for" in done.stdout
    )
    assert "differences: 1\n" in done.stdout


def test_stores_that_cannot_be_read_are_named(service: Service) -> None:
    service.receive(1)
    service.archive(0, 1)
    [path] = (service.folder / "archive").rglob("*.parquet")
    path.write_bytes(b"PAR1")
    done = service.run()
    assert done.exit_code == 1
    assert path.name in done.stderr
    assert service.run("--since", "soon").exit_code == 2
