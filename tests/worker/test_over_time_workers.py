"""Findings over time are those of a scan, however a topic is cut, handed over or read again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from detectors.correlation.fold import BLOCK
from detectors.sigma.correlation import CorrelationType
from tests.worker.over_time import (
    ALL,
    NEW,
    REDACTOR,
    Crash,
    Kept,
    Topic,
    act,
    correlation,
    finish,
    random_log,
    rules_in,
    start,
    write_logs,
    write_rules,
)
from worker.configuration import Settings
from worker.pace import Pace
from worker.scan import scan
from worker.settings import ScanSettings

LONG = tuple(
    correlation(n, "event_count", {f"get{n}": "get"}, timespan="1d", condition="{gte: 1}")
    for n in range(10)
)


def scanned(folder: Path, topic: Topic, files: tuple[str, ...] = ALL) -> dict[str, Any]:
    """Return the findings of a scan by id."""
    settings = ScanSettings(
        [str(write_logs(folder / "logs", topic.log))],
        folder / "out",
        cluster_from_file=True,
        rules=[write_rules(folder / "again" / "rules", files)],
        redactor=REDACTOR,
    )
    result = scan(settings, 0, lambda _: None)
    assert not result.accounts.late
    lines = (folder / "out" / "findings.ndjson").read_bytes().splitlines()
    return {one["trailwarden.finding.id"]: one for one in map(orjson.loads, lines)}


def told(findings: dict[str, Any]) -> dict[str, Any]:
    """Return findings without what a file does not know of its records."""
    hidden = {"event.created", "agent.name", "log.file.path", "log.offset"}
    return {
        identifier: {key: value for key, value in one.items() if key not in hidden}
        for identifier, one in findings.items()
    }


@pytest.mark.parametrize("seed", range(4))
def test_findings_and_their_ends_are_those_of_a_scan(tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    topic, kept = Topic(random_log(random)), Kept()
    rules = rules_in(tmp_path / "rules")
    finish(start(topic, tmp_path / "store", rules, kept, random))
    wanted = scanned(tmp_path, topic)
    kinds = {one.get("trailwarden.correlation.type") for one in wanted.values()}
    assert kinds == {
        None,
        *(
            CorrelationType(kind).value
            for kind in ("event_count", "temporal_ordered", "absence", "first_seen", "value_count")
        ),
    }
    assert told(kept.findings) == told(wanted)
    over_time = [one for one in wanted.values() if "trailwarden.episode.start" in one]
    assert all(one["trailwarden.episode.closed"] for one in over_time)


@pytest.mark.parametrize("seed", range(6))
def test_workers_that_die_and_are_taken_over_find_the_same(tmp_path: Path, seed: int) -> None:
    """They die before, between and after checkpoints, and before what is pending is written."""
    random = Random(seed)
    topic = Topic(random_log(random))
    rules = rules_in(tmp_path / "rules")
    whole, kept = Kept(), Kept()
    finish(start(topic, tmp_path / "whole", rules, whole, random))
    topic.committed.clear()
    pace = Pace(
        release_s=random.choice([0.0, 2.0, 1e9]), snapshot_interval_s=random.choice([0.0, 4.0])
    )
    for _ in range(8):
        running = start(topic, tmp_path / "store", rules, kept, random, pace=pace)
        kept.left = random.choice([None, 0, 3, 10])
        with suppress(Crash):
            for _ in range(random.randint(1, 6)):
                running.step()
                if random.random() < 0.4:
                    running.worker.checkpoint()
        running.die(kept)
    finish(start(topic, tmp_path / "store", rules, kept, random, pace=pace))
    assert kept.findings == whole.findings
    assert len(whole.findings) > 50


def test_partitions_that_change_hands_find_the_same(tmp_path: Path) -> None:
    random = Random(5)
    topic = Topic(random_log(random))
    rules = rules_in(tmp_path / "rules")
    whole, kept = Kept(), Kept()
    finish(start(topic, tmp_path / "whole", rules, whole, random))
    topic.committed.clear()
    for _ in range(4):
        for owned in ([0], [1]):
            running = start(topic, tmp_path / "store", rules, kept, random, owned)
            for _ in range(4):
                running.step()
            running.worker.revoke(owned)
    for owned in ([1], [0]):
        finish(start(topic, tmp_path / "store", rules, kept, random, owned))
    assert kept.findings == whole.findings


def test_a_partition_that_is_revoked_tells_what_its_offset_makes_certain(tmp_path: Path) -> None:
    """Nobody else will: the next owner folds what lies before the offset, and reports none."""
    random = Random(7)
    topic = Topic(random_log(random))
    rules = rules_in(tmp_path / "rules", (NEW,))
    kept = Kept()
    running = start(topic, tmp_path / "store", rules, kept, random, pace=Pace(release_s=1e9))
    while not running.source.is_done:
        running.step()
    assert kept.findings == {}
    running.worker.revoke([0, 1])
    assert kept.findings
    assert topic.committed[0][0] == len(topic.log[0])


def test_a_scan_loses_no_finding_whose_episode_was_given_up(tmp_path: Path) -> None:
    """State has a bound; what was found and dropped from it is written as it began."""
    users, rules = 1_010, 10
    count = BLOCK // rules + 100
    names = [f"user-{n if n < 10 else 10 + n % (users - 10)}" for n in range(count)]
    acts = (act(n, n / 1_000, "get", name) for n, name in enumerate(names))
    (tmp_path / "blue.log").write_bytes(b"".join(orjson.dumps(one) + b"\n" for one in acts))
    service = Settings(worker={"state_rows": 10_000})  # type: ignore[arg-type]  # validated
    settings = ScanSettings(
        [str(tmp_path / "blue.log")],
        tmp_path / "out",
        rules=[write_rules(tmp_path / "rules", LONG)],
        service=service,
    )
    result = scan(settings, 0, lambda _: None)
    assert result.accounts.evicted["episodes"]
    lines = (tmp_path / "out" / "findings.ndjson").read_bytes().splitlines()
    found = {(one["user.name"], one["rule.id"]) for one in map(orjson.loads, lines)}
    assert len(found) == users * rules
