"""One log through each collector, as processes: both ways give what `scan` gives on the file."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient

from detectors.sigma.correlation import CorrelationType
from sinks.topic_reader import spans_of
from tests.authority import Authority
from tests.e2e.commands import audit_log, check_stores, command, scan, service, shipped_without
from tests.faults.fleet import wait_for
from tests.faults.harness import Harness, harness
from worker.services.ports import free_port

pytestmark = pytest.mark.integration

ITEMS = 400
"""As many events as an API server's webhook backend puts into one request by default."""

TOKEN = "token-of-this-test-only"


def post_all(port: int, authority: Authority, lines: list[bytes]) -> None:
    """Send a log as an API server would; every request must be taken."""
    context = ssl.create_default_context(cafile=str(authority.ca_file))
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=60)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    head = b'{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":['
    for start in range(0, len(lines), ITEMS):
        body = head + b",".join(lines[start : start + ITEMS]) + b"]}"
        connection.request("POST", "/audit/hooked", body, headers)
        answer = connection.getresponse()
        said = answer.read()
        assert answer.status == 200, said
    connection.close()


def in_topic(world: Harness) -> int:
    spans = spans_of(world.connection, world.settings.kafka.raw_topic)
    return sum(span.end - span.low for span in spans)


def test_every_event_is_once_in_archive_and_index_with_the_findings_of_a_scan(
    tmp_path: Path, kafka: str, elasticsearch_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = audit_log()
    # Canaries of a collector that caught up make old records late: they enter no window.
    rules = shipped_without(tmp_path / "rules", *(kind.value for kind in CorrelationType))
    signals = f"e2e-{uuid4().hex[:8]}-signals"
    authority = Authority(tmp_path / "tls")
    issued = authority.issue("webhook")
    (tmp_path / "tokens").write_text(f"hooked {TOKEN}\n")
    monkeypatch.setenv("TRAILWARDEN_KAFKA__SIGNALS_TOPIC", signals)
    groups: dict[str, Any] = {
        "collect": {"canary_interval_s": 2, "spool": str(tmp_path / "spool")},
        "tail": {"checkpoint_file": str(tmp_path / "tail.json"), "poll_s": 0.1},
        "worker": {"batch_records": 10_000, "rules": [str(rules)]},
    }
    port = free_port()
    with (
        harness(tmp_path, kafka, elasticsearch_url, partitions=8, **groups) as world,
        world.fleet() as fleet,
    ):
        set_up = command("setup", "--config", world.file)
        assert set_up.returncode == 0, set_up.stderr
        for slot in ("one", "two"):
            fleet.start(slot)
        log = tmp_path / "audit.log"
        half = len(lines) // 2
        log.write_bytes(b"".join(line + b"\n" for line in lines[:half]))
        with (
            service(
                tmp_path / "webhook.log", "listening", "collect", "webhook",
                "--config", world.file, "--listen", f"127.0.0.1:{port}",
                "--certificate", issued.certificate_file, "--key", issued.key_file,
                "--tokens", tmp_path / "tokens",
            ) as webhook,
            service(
                tmp_path / "tail.log", "following", "collect", "tail",
                "--config", world.file, "--cluster", "tailed", tmp_path / "audit*.log",
            ) as tail,
        ):  # fmt: skip
            wait_for(lambda: in_topic(world) > 0, 60, "the tail has begun")
            log.rename(tmp_path / "audit-rotated.log")
            log.write_bytes(b"".join(line + b"\n" for line in lines[half:]))
            post_all(port, authority, lines)
            wait_for(lambda: in_topic(world) >= 2 * len(lines), 120, "all is in the topic")
            wait_for(
                lambda: (lag := world.lag()) is not None and lag < 100,
                120,
                "the workers have caught up",
            )
            doctor = command("doctor", "--config", world.file, "--json")
            for collector in (webhook, tail):
                collector.stop()
        world.drain(fleet)
        fleet.stop_all()
        (tmp_path / "audit.gz").write_bytes(b"\n".join(lines))
        scans = [
            scan(tmp_path / name, tmp_path / "audit.gz", "--cluster", name, "--rules", rules)
            for name in ("hooked", "tailed")
        ]
        late = check_stores(world, scans)
        print(
            f"{2 * len(lines)} events, {sum(len(s.findings) for s in scans)} findings, {late} late"
        )
        for name in ("ledger", "verify"):
            done = command(name, "--config", world.file)
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        assert doctor.returncode == 0, [
            one for one in json.loads(doctor.stdout)["checks"] if one["state"] != "ok"
        ]
        admin = AdminClient({"bootstrap.servers": kafka})
        admin.delete_topics([signals])[signals].result(30)
