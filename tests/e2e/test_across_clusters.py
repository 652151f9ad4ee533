"""One credential in two clusters is one finding, whoever reads which cluster and who correlates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detectors.cases import load_cases
from detectors.record_time import START
from tests.e2e.commands import command
from tests.faults.fleet import PATIENCE_S, Worker, wait_for
from tests.faults.harness import Harness, harness
from tests.faults.oracle import hits
from tests.faults.planted import Planted, Verdict
from tests.faults.sender import Sender
from worker.settings import shipped_rules

pytestmark = pytest.mark.integration

RULE_FILE = shipped_rules() / "abnormal-login" / "credential-in-several-clusters.yml"
RULE = "2f6e8738-87e6-4db2-a5c4-eea45e60e995"
CLUSTERS = ("one", "two")
LATER = START + timedelta(minutes=30)
"""Longer than the timespan after all that was done: the episode is over."""


def acts() -> Iterator[Planted]:
    """Yield the records of the rule's first case."""
    case = load_cases(RULE_FILE, shipped_rules() / "bases").cases[0]
    for record in case.records:
        yield Planted(record.cluster or "", record.raw, Verdict.EVENT, RULE)


def scanned(folder: Path) -> dict[str, Any]:
    """Return the finding of a scan of one log a cluster."""
    logs = folder / "logs-of-clusters"
    logs.mkdir()
    for one in acts():
        with (logs / f"{one.cluster}.log").open("ab") as log:
            log.write(one.value + b"\n")
    done = command("scan", logs, "--cluster-from-file", "--out", folder / "scanned")
    assert done.returncode == 0, done.stderr
    lines = (folder / "scanned" / "findings.ndjson").read_text().splitlines()
    (found,) = [one for one in map(json.loads, lines) if one["rule.id"] == RULE]
    return dict(found)


def send(world: Harness, *, canaries: bool) -> None:
    with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
        for one in acts():
            sender.send(one)
        for cluster in CLUSTERS if canaries else ():
            sender.send_canary(cluster, LATER)


def findings(world: Harness) -> list[dict[str, Any]]:
    prefix = world.settings.elasticsearch.prefix
    world.client.indices.refresh(index=f"{prefix}-*")
    found = [hit["_source"] for hit in hits(world.client, f"{prefix}-findings")]
    return [one for one in found if one["rule.id"] == RULE]


@pytest.mark.parametrize("roles", [("detect,correlate",), ("detect", "detect", "correlate")])
def test_one_credential_in_two_clusters_is_one_finding(
    tmp_path: Path, kafka: str, elasticsearch_url: str, roles: tuple[str, ...]
) -> None:
    wanted = scanned(tmp_path)
    with harness(tmp_path, kafka, elasticsearch_url) as world, ExitStack() as stack:
        fleets = [stack.enter_context(world.fleet(roles=one)) for one in roles]
        for number, fleet in enumerate(fleets):
            fleet.start(f"{fleet.roles}-{number}")
        for fleet in fleets:
            for worker in fleet.workers.values():
                worker.until(lambda one: one.status("readyz") == 200, "is ready")
        send(world, canaries=True)
        wait_for(lambda: findings(world), PATIENCE_S, "the finding")
        for fleet in fleets:
            fleet.stop_all()
        # Whoever comes after them reads the same again, and adds nothing.
        send(world, canaries=False)
        again = stack.enter_context(world.fleet(roles="detect,correlate"))
        last = again.start("again")
        last.until(lambda _: world.lag() == 0, "all was read")
        last.until(lambda one: signals_lag(one) == 0, "all signals were read")
        again.stop_all()
        (found,) = findings(world)
    hidden = {"event.created", "agent.name", "log.file.path", "log.offset"}
    assert {k: v for k, v in found.items() if k not in hidden} == {
        k: v for k, v in wanted.items() if k not in hidden and v is not None
    }
    assert found["trailwarden.episode.closed"]


def signals_lag(worker: Worker) -> float | None:
    """Return how many messages of `signals` are not read; None before any was."""
    name = "trailwarden_signals_lag_messages"
    found = [value for key, value in worker.metrics().items() if key.startswith(name)]
    return max(found) if found else None
