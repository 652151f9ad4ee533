"""One credential in two clusters is one finding, whoever reads which cluster and who correlates."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from detectors.cases import load_cases
from detectors.record_time import START
from tests.e2e.commands import command
from tests.faults.fleet import PATIENCE_S, Fleet, Worker, wait_for
from tests.faults.harness import Harness, harness
from tests.faults.oracle import hits
from tests.faults.planted import Planted, Verdict
from tests.faults.sender import Sender
from worker.crash_points import CrashPoint
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
        wait_for(lambda: any(map(is_closed, findings(world))), PATIENCE_S, "the finding's end")
        for fleet in fleets:
            fleet.stop_all()
        # Whoever comes after them reads the same again, and adds nothing.
        send(world, canaries=False)
        again = stack.enter_context(world.fleet(roles="detect,correlate"))
        last = again.start("again")
        last.until(lambda _: world.lag() == 0, "all was read")
        last.until(lambda one: signals_lag(one) == 0, "all signals were read")
        again.stop_all()
        check(world, wanted)


def check(world: Harness, wanted: dict[str, Any]) -> None:
    """The finding is there once, and is the scan's."""
    (found,) = findings(world)
    hidden = {"event.created", "agent.name", "log.file.path", "log.offset"}
    assert {name: value for name, value in found.items() if name not in hidden} == {
        name: value for name, value in wanted.items() if name not in hidden and value is not None
    }
    assert is_closed(found)


def test_whoever_dies_the_finding_is_there_once(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    """Workers die around the signals and the commit, members before and after theirs."""
    wanted = scanned(tmp_path)
    with (
        harness(tmp_path, kafka, elasticsearch_url) as world,
        world.fleet() as workers,
        world.fleet(roles="correlate") as members,
    ):
        send(world, canaries=True)
        deaths = (
            (workers, (CrashPoint.AFTER_ELASTICSEARCH, CrashPoint.SIGNALS_ACKED)),
            (workers, (CrashPoint.BEFORE_COMMIT, CrashPoint.AFTER_COMMIT)),
            (members, (CrashPoint.IN_ASSIGN,)),
        )
        for fleet, points in deaths:
            die_at(fleet, points)
        workers.start("worker")
        die_at(members, (CrashPoint.AFTER_ELASTICSEARCH, CrashPoint.AFTER_SNAPSHOT))
        die_at(members, (CrashPoint.BEFORE_COMMIT, CrashPoint.AFTER_COMMIT))
        members.start("member")
        # Canaries go on, as they do; of the first ones nobody who lives may know: an archive has
        # none, and no snapshot was due.
        send(world, canaries=True)
        wait_for(lambda: any(map(is_closed, findings(world))), PATIENCE_S, "the finding's end")
        members.stop_all()
        workers.stop_all()
        check(world, wanted)


def die_at(fleet: Fleet, points: Iterable[CrashPoint]) -> None:
    """Let a process die at each point."""
    for point in points:
        process = fleet.start("dies", f"{point.value}:1")
        assert process.process.wait(PATIENCE_S) == -signal.SIGKILL, process.tail()
        fleet.note(process)
        fleet.workers.clear()


def is_closed(finding: dict[str, Any]) -> bool:
    return bool(finding["trailwarden.episode.closed"])


def signals_lag(worker: Worker) -> float | None:
    """Return how many messages of `signals` are not read; None before any was."""
    name = "trailwarden_signals_lag_messages"
    found = [value for key, value in worker.metrics().items() if key.startswith(name)]
    return max(found) if found else None
