"""`trailwarden collect s3` as a user runs it: exports in a folder in, records in Kafka out."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.envelope import Format, read_envelope
from tests.ingest.collectors.mock_broker import count, read

pytestmark = pytest.mark.integration
DEADLINE_S = 60.0
GROUP = "/aws/eks/prod-1/cluster"


def event(number: int) -> str:
    return json.dumps({"kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": str(number)})


def subscription(*numbers: int) -> bytes:
    """Return what Firehose puts into S3 of a CloudWatch subscription."""
    message = {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": GROUP,
        "logStream": "kube-apiserver-audit-0123456789abcdef",
        "subscriptionFilters": ["all"],
        "logEvents": [
            {"id": str(number), "timestamp": 1_795_262_400_000, "message": event(number)}
            for number in numbers
        ],
    }
    return gzip.compress(json.dumps(message).encode())


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"s3-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka})
    for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
        made.result(30)
    return name


def started(kafka: str, topic: str, folder: Path, *options: str) -> subprocess.Popen[bytes]:
    environment = {
        **os.environ,
        "TRAILWARDEN_KAFKA__BOOTSTRAP_SERVERS": kafka,
        "TRAILWARDEN_KAFKA__RAW_TOPIC": topic,
        "TRAILWARDEN_COLLECT__CANARY_INTERVAL_S": "0",
        "TRAILWARDEN_OBJECTS__INTERVAL_S": "0.2",
        "TRAILWARDEN_TELEMETRY__PORT": "0",
    }
    command = [sys.executable, "-m", "trailwarden", "collect", "s3", str(folder / "exports")]
    command += ["--checkpoint", str(folder / "state.json"), *options]
    return subprocess.Popen(command, env=environment, cwd=folder, stderr=subprocess.PIPE)


def stopped(process: subprocess.Popen[bytes]) -> str:
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0, said.decode()
    return said.decode()


def wait_for_records(kafka: str, topic: str, number: int) -> None:
    end = time.monotonic() + DEADLINE_S
    while count(kafka, topic) < number:
        assert time.monotonic() < end, f"{count(kafka, topic)} of {number} records came"
        time.sleep(0.1)


def test_exports_are_sent_once_by_name_of_their_cluster(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    exports = tmp_path / "exports" / "2026"
    exports.mkdir(parents=True)
    (exports / "a.gz").write_bytes(subscription(1, 2) + subscription(3))
    process = started(kafka, topic, tmp_path)
    wait_for_records(kafka, topic, 3)
    (exports / "b.gz").write_bytes(subscription(4))
    wait_for_records(kafka, topic, 4)
    stopped(process)
    again = started(kafka, topic, tmp_path)
    (exports / "c.gz").write_bytes(subscription(5))
    wait_for_records(kafka, topic, 5)
    stopped(again)
    found = read(kafka, topic, 5)
    assert [message.value() for message in found] == [event(n).encode() for n in range(1, 6)]
    envelopes = [read_envelope(m.headers(), None, 0) for m in found]
    assert {envelope.cluster for envelope in envelopes} == {"prod-1"}
    assert {message.key() for message in found} == {b"prod-1"}
    assert {envelope.format for envelope in envelopes} == {Format.RECORD}


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trailwarden", "collect", "s3", "ftp://example.com/x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"objects.address: ftp: is no scheme" in done.stderr
