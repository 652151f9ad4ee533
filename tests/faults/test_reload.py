"""Rules loaded anew while a worker runs: nothing is lost or twice, what is bad is kept out."""

from __future__ import annotations

import shutil
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from tests.faults.fleet import PATIENCE_S, Worker, wait_for
from tests.faults.harness import OVER_TIME, Harness, dose, harness
from tests.faults.planted import Planted, Verdict, base, time_text
from tests.faults.sender import Sender
from worker.settings import shipped_rules

pytestmark = pytest.mark.integration

RELOADS = dose(3, 30)
SPAN_S = 60.0
"""Twice the lateness: much of what was sent has become certain by then."""

ADDED_ID = "00000000-0000-4000-8000-00000000f009"
ADDED = f"""
title: Node looks at a pod
id: {ADDED_ID}
status: test
description: For tests of faults.
author: Trailwarden authors
date: 2026-11-21
logsource: {{product: kubernetes, service: audit}}
detection: {{asked: {{orchestrator.resource.name: added-later}}, condition: asked}}
falsepositives: [None are known.]
level: low
"""


def reload(worker: Worker, says: str) -> None:
    """Ask for the rules to be loaded anew, and wait until the worker said what came of it."""
    before = len(worker.lines(says))
    worker.send(signal.SIGHUP)
    worker.until(lambda one: len(one.lines(says)) > before, says)


def test_rules_are_loaded_anew_under_load(
    tmp_path: Path, kafka: str, elasticsearch_url: str
) -> None:
    rules = shutil.copytree(OVER_TIME, tmp_path / "rules")
    settings = {"rules": [str(shipped_rules()), str(rules)]}
    with (
        harness(tmp_path, kafka, elasticsearch_url, worker=settings) as world,
        world.fleet() as fleet,
    ):
        worker = fleet.start("one")
        began_s = time.monotonic()
        with world.generator(1_000) as generator:
            for _ in range(RELOADS):
                worker.until(Worker.in_flight, "records are taken")
                reload(worker, "rules-loaded")
                (rules / "broken.yml").write_text("title: [")
                worker.until(Worker.in_flight, "more are taken")
                reload(worker, "rules-kept")
                (rules / "broken.yml").unlink()
            worker.until(lambda _: time.monotonic() - began_s > SPAN_S, "windows are over")
        world.drain(fleet)
        verdicts = world.judge(generator)
        assert verdicts.closed > 0
        metrics = worker.metrics()
        for outcome in ("loaded", "refused"):
            counted = [v for k, v in metrics.items() if "reload" in k and outcome in k]
            assert counted == [RELOADS], outcome
        (rules / "added.yml").write_text(ADDED)
        reload(worker, "rules-loaded")
        _send(world, "added-later")
        wait_for(lambda: _is_found(world), PATIENCE_S, "the new rule finds something")
        fleet.stop_all()
    assert fleet.deaths == []


def _send(world: Harness, name: str) -> None:
    event = base("pod-get-by-node")
    event["objectRef"]["name"] = name
    event["requestReceivedTimestamp"] = event["stageTimestamp"] = time_text(datetime.now(UTC))
    with Sender(world.connection, world.settings.kafka.raw_topic) as sender:
        sender.send(Planted("berlin", orjson.dumps(event), Verdict.FINDING, ADDED_ID))


def _is_found(world: Harness) -> bool:
    index = f"{world.settings.elasticsearch.prefix}-findings"
    world.client.indices.refresh(index=f"{index}-*")
    query = {"term": {"rule.id": ADDED_ID}}
    return bool(world.client.count(index=index, query=query)["count"])
