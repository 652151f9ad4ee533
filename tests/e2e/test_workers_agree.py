"""However many workers share the partitions, the findings are those of one scan."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from detectors.entities.process_facts import PATIENCE_US
from tests.e2e.commands import audit_log, check_stores, command, scan, shipped_without
from tests.faults.harness import Harness, harness
from tests.faults.oracle import hits
from tests.faults.planted import CLUSTERS, Planted, Verdict
from tests.faults.sender import Sender
from worker.cluster_memory import LATENESS_US

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give one log a cluster, each its own part of the sample."""
    folder = tmp_path_factory.mktemp("logs")
    lines = audit_log()
    part = -(-len(lines) // len(CLUSTERS))
    for number, cluster in enumerate(CLUSTERS):
        mine = lines[number * part : (number + 1) * part]
        (folder / f"{cluster}.log").write_bytes(b"".join(line + b"\n" for line in mine))
    return folder


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the rules that a scan and a service understand alike."""
    return shipped_without(tmp_path_factory.mktemp("rules"), "first_seen", "absence")


def send_interleaved(world: Harness, logs: Path) -> None:
    """Send the logs line by line in turn, then a canary each; each cluster's stay in order."""
    each = {cluster: (logs / f"{cluster}.log").read_bytes().splitlines() for cluster in CLUSTERS}
    with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
        for number in range(max(map(len, each.values()))):
            for cluster, lines in each.items():
                if number < len(lines):
                    sender.send(Planted(cluster, lines[number], Verdict.EVENT))
        for cluster, lines in each.items():
            end = max(datetime.fromisoformat(json.loads(one)["stageTimestamp"]) for one in lines)
            sender.send_canary(cluster, end + timedelta(microseconds=LATENESS_US + PATIENCE_US + 1))


RULES_ALONE: Final = {"enabled": False}
"""A scan waits less than a service until it tells what is unusual: a file is all there is."""


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_workers_find_what_one_scan_finds(
    tmp_path: Path, logs: Path, rules: Path, kafka: str, elasticsearch_url: str, workers: int
) -> None:
    config = tmp_path / "scan.yml"
    config.write_text("anomaly:\n  enabled: false\n")
    scanned = scan(
        tmp_path / "scan", logs, "--cluster-from-file", "--rules", rules, "--config", config
    )
    assert scanned.over_time
    settings: dict[str, Any] = {
        "anomaly": RULES_ALONE,
        "elasticsearch": {"events": "findings"},
        "worker": {"batch_records": 2_000, "rules": [str(rules)]},
    }
    with (
        harness(tmp_path, kafka, elasticsearch_url, partitions=8, **settings) as world,
        world.fleet() as fleet,
    ):
        for number in range(workers):
            fleet.start(f"worker-{number}")
        send_interleaved(world, logs)
        world.drain(fleet)
        fleet.stop_all()
        late = check_stores(world, [scanned], events_indexed=False)
        print(f"{workers} workers: {len(scanned.findings)} findings, {late} events were late")
        assert late == 0


def test_a_scan_writes_the_documents_that_the_service_writes(
    tmp_path: Path, logs: Path, rules: Path, kafka: str, elasticsearch_url: str
) -> None:
    worker = {"rules": [str(rules)]}
    with (
        harness(tmp_path, kafka, elasticsearch_url, worker=worker, anomaly=RULES_ALONE) as world,
        world.fleet() as fleet,
    ):
        fleet.start("one")
        send_interleaved(world, logs)
        world.drain(fleet)
        fleet.stop_all()
        wanted = documents(world)
        (tmp_path / "scanned").mkdir()
        with harness(tmp_path / "scanned", kafka, elasticsearch_url, anomaly=RULES_ALONE) as other:
            done = command(
                "scan", logs, "--cluster-from-file", "--out", tmp_path / "out",
                "--elasticsearch", elasticsearch_url, "--config", other.file, "--rules", rules,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert documents(other) == wanted
    assert {index.split("-")[1] for index, _ in wanted} == {"events", "findings"}


def documents(world: Harness) -> set[tuple[str, str]]:
    """Return index and id of every document; each is there once."""
    prefix = world.settings.elasticsearch.prefix
    world.client.indices.refresh(index=f"{prefix}-*")
    found = [
        (hit["_index"].removeprefix(prefix), hit["_id"])
        for hit in hits(world.client, f"{prefix}-events,{prefix}-findings")
    ]
    assert len(found) == len(set(found))
    return set(found)
