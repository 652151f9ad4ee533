"""`collect tail` and `collect kafka` as processes: settings, signals, health, exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ingest.collectors.canary import read_canary
from tests.ingest.collectors.mock_broker import read

TAIL = "run_tail(None, [], None, None)"
KAFKA = "run_kafka(None)"


def start(call: str, root: Path, settings: dict[str, str]) -> subprocess.Popen[str]:
    command = f"import sys; from trailwarden.collect_commands import *; sys.exit({call})"
    environment = {f"TRAILWARDEN_{name}": value for name, value in settings.items()}
    return subprocess.Popen(
        [sys.executable, "-c", command],
        env=os.environ | environment,
        cwd=root,
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(call: str, root: Path, settings: dict[str, str]) -> str:
    process = start(call, root, settings)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    return errors


@pytest.mark.parametrize(
    ("call", "settings", "why"),
    [
        (TAIL, {}, "tail.cluster"),
        (TAIL, {"TAIL__CLUSTER": "c"}, "tail.paths"),
        (TAIL, {"TAIL__CLUSTER": "c", "TAIL__PATHS": '["x"]', "KAFKA__SECURITY_PROTOCOL": "SSL",
                "KAFKA__CA_FILE": "/none.pem"}, "/none.pem: No such file"),
        (TAIL, {"TAIL__CLUSTER": "c", "TAIL__PATHS": '["x"]',
                "TAIL__CHECKPOINT_FILE": "/dev/null/tail.json"}, "tail.checkpoint_file"),
        ("run_tail(None, [], 'c', None)", {}, "tail.paths"),
        (KAFKA, {"KAFKA__INBOX_PREFIX": ""}, "kafka.inbox_prefix"),
        (KAFKA, {"KAFKA__INBOX_PREFIX": "ra"}, "kafka.inbox_prefix"),
        (KAFKA, {"KAFKA__NONSENSE": "1"}, "nonsense"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_used_are_named(
    call: str, settings: dict[str, str], why: str, root: Path
) -> None:
    assert why in refused(call, root, settings)


@pytest.fixture
def prefix(kafka: str) -> Iterator[str]:
    admin = AdminClient({"bootstrap.servers": kafka})
    prefix = f"d-collect-{uuid.uuid4().hex[:8]}"
    names = [f"{prefix}-raw", f"{prefix}.prod"]
    for future in admin.create_topics([NewTopic(name, 1, 1) for name in names]).values():
        future.result(20)
    yield prefix
    for future in admin.delete_topics(names).values():
        future.result(20)
    for deleted in admin.delete_consumer_groups([prefix]).values():
        deleted.exception(20)


def log_line(process: subprocess.Popen[str], event: str) -> dict[str, object]:
    assert process.stderr is not None
    for text in process.stderr:
        line: dict[str, object] = json.loads(text)
        if line["event"] == event:
            return line
    pytest.fail(f"no line {event}")


def page(port: object, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def wait_for(port: object, metric: str) -> None:
    until = time.monotonic() + 20
    while metric not in page(port, "/metrics"):
        assert time.monotonic() < until, metric
        time.sleep(0.05)


def settings_of(kafka: str, prefix: str, folder: Path) -> dict[str, str]:
    return {
        "KAFKA__BOOTSTRAP_SERVERS": kafka,
        "KAFKA__RAW_TOPIC": f"{prefix}-raw",
        "KAFKA__INBOX_PREFIX": f"{prefix}.",
        "INBOX__GROUP": prefix,
        "COLLECT__SPOOL": str(folder / "spool"),
        "TELEMETRY__PORT": "0",
    }


@pytest.mark.integration
def test_a_tail_runs_is_healthy_and_stops(
    kafka: str, prefix: str, tmp_path: Path, root: Path
) -> None:
    log = tmp_path / "audit.log"
    log.write_bytes(b'{"auditID":"1"}\n{"auditID":"2"}\n')
    process = start(
        f"run_tail(None, [{str(log)!r}], 'prod', {str(tmp_path / 'tail.json')!r})",
        root,
        settings_of(kafka, prefix, tmp_path),
    )
    try:
        port = log_line(process, "following")["health_port"]
        wait_for(port, "trailwarden_collector_acknowledged_total 2.0")
        wait_for(port, "trailwarden_collector_canaries_total 1.0")
        assert json.loads(page(port, "/healthz"))["healthy"]
        assert json.loads(page(port, "/readyz"))["ready"]
        process.send_signal(signal.SIGTERM)
        assert log_line(process, "stopped")["missing"] == 0
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    first, second, canary = read(kafka, f"{prefix}-raw", 3)
    assert (first.value(), second.value()) == (b'{"auditID":"1"}', b'{"auditID":"2"}')
    assert read_canary(canary.value()).caught_up


@pytest.mark.integration
def test_the_inbox_runs_is_healthy_and_stops(
    kafka: str, prefix: str, tmp_path: Path, root: Path
) -> None:
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(f"{prefix}.prod", b'{"log":"{}"}')
    assert producer.flush(20) == 0
    process = start(KAFKA, root, settings_of(kafka, prefix, tmp_path))
    try:
        port = log_line(process, "moving")["health_port"]
        wait_for(port, "trailwarden_collector_acknowledged_total 1.0")
        assert json.loads(page(port, "/readyz"))["ready"]
        process.send_signal(signal.SIGTERM)
        assert log_line(process, "stopped")["acknowledged"] == 1
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.communicate()
    (message,) = read(kafka, f"{prefix}-raw", 1)
    assert (message.key(), message.value()) == (b"prod", b"{}")
