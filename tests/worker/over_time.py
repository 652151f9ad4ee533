"""A small pack with rules over time, a log that sets it off, and workers in memory that read it.

What a worker writes to (`Kept`), what is committed and the folder of the archive outlive it, as
they do in the service; everything else dies with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from detectors.correlation.report import closing_fields
from detectors.ruleset import Ruleset, ruleset
from detectors.sigma.compiler import load_pack
from ingest.normalize import NormalizeSettings
from ingest.redact.token import Redactor
from ingest.sources.kafka import Committed, Position, Record
from tests.worker.messages import NOON, TOPIC, audit_event, canary, message
from worker.cluster_memory import LATENESS_US
from worker.counts import WorkerCounts
from worker.drain import Wait
from worker.fold import Folded
from worker.holdings import Holdings
from worker.pace import Pace, Watch
from worker.stages import Found, RealStages
from worker.stores import FolderStores
from worker.stream import Outputs, Worker

REDACTOR = Redactor(b"key")
LATENESS = timedelta(microseconds=LATENESS_US)

_HEAD = """
status: test
description: For tests of the worker.
author: Trailwarden authors
date: 2026-11-21
falsepositives: [None are known.]
level: {level}
"""

_BASE = """
name: {name}
title: Base {name}
logsource: {{product: kubernetes, service: audit}}
detection: {{asked: {{event.action: {action}}}, condition: asked}}
"""


def correlation(
    number: int,
    kind: str,
    bases: Mapping[str, str],
    *,
    timespan: str = "1m",
    condition: str = "",
    more: str = "",
) -> str:
    """Return a rule file of a correlation by user; ``bases`` are verbs by name."""
    documents = [_BASE.format(name=name, action=action) for name, action in bases.items()]
    lines = [
        f"title: Over time {number}",
        f"id: 00000000-0000-4000-8000-{number:012}",
        _HEAD.format(level="medium"),
        "correlation:",
        f"  type: {kind}",
        f"  rules: [{', '.join(bases)}]",
        "  group-by: [user.name]",
        f"  timespan: {timespan}",
        *([f"  condition: {condition}"] if condition else []),
        *([f"  {more}"] if more else []),
    ]
    return "---".join([*documents, "\n" + "\n".join(lines) + "\n"])


def alone(number: int, verb: str) -> str:
    """Return a rule file of a rule that needs no time."""
    return (
        f"title: Alone {number}\nid: 00000000-0000-4000-8000-{number:012}\n"
        + _HEAD.format(level="low")
        + "logsource: {product: kubernetes, service: audit}\n"
        + f"detection: {{asked: {{event.action: {verb}}}, condition: asked}}\n"
    )


MANY = correlation(1, "event_count", {"many_get": "get"}, condition="{gte: 4}")
ORDERED = correlation(2, "temporal_ordered", {"made": "create", "gone": "delete"}, timespan="40s")
SILENT = correlation(3, "absence", {"begun": "create", "ended": "delete"}, timespan="50s")
NEW = correlation(
    4,
    "first_seen",
    {"seen": "update"},
    timespan="30m",
    condition="{field: orchestrator.resource.name}",
    more="learning: {events: 3, time: 0s}",
)
WIDE = correlation(
    5,
    "value_count",
    {"wide_get": "get"},
    timespan="90s",
    condition="{field: orchestrator.resource.name, gte: 5}",
)
ALONE = alone(9, "delete")
ALL = (MANY, ORDERED, SILENT, NEW, WIDE, ALONE)


def write_rules(folder: Path, files: Sequence[str] = ALL) -> Path:
    """Write rule files into a new folder."""
    folder.mkdir(parents=True)
    for number, text in enumerate(files):
        (folder / f"rule-{number}.yml").write_text(text)
    return folder


def rules_in(folder: Path, files: Sequence[str] = ALL) -> Ruleset:
    """Load rule files as a worker does."""
    return ruleset(load_pack([write_rules(folder, files)]), learning_time=True)


def act(number: int, at_s: float, verb: str, user: str = "alice", name: str = "") -> dict[str, Any]:
    """Return an audit event of a user, so many seconds after noon."""
    target = {
        "resource": "configmaps",
        "namespace": "default",
        "name": name or f"c{number % 7}",
        "apiVersion": "v1",
    }
    return audit_event(
        number,
        NOON + timedelta(seconds=at_s),
        verb=verb,
        user={"username": user, "groups": ["system:authenticated"]},
        objectRef=target,
    )


CLUSTERS = {"blue": 0, "green": 0, "red": 1}
"""Partition of each cluster, as its key decides."""

END_S = 7_200.0
"""Long after the last act: all that waits is over."""


def random_log(random: Random, count: int = 400) -> dict[int, list[Record]]:
    """Return the messages of a topic: acts in some disorder, repeats, and each cluster's end."""
    log: dict[int, list[Record]] = {0: [], 1: []}
    acts = _acts(random, count)
    for cluster, event in acts:
        _append(log, cluster, event)
        if random.random() < 0.03:
            _append(log, cluster, event)
    for number, cluster in enumerate(CLUSTERS):
        _append(log, cluster, act(count + number, END_S, "list"))
        partition = CLUSTERS[cluster]
        told = NOON + timedelta(seconds=END_S) + LATENESS + timedelta(seconds=1)
        log[partition].append(
            canary(len(log[partition]), told, cluster=cluster, partition=partition)
        )
    return log


def _acts(random: Random, count: int) -> list[tuple[str, dict[str, Any]]]:
    """Return acts out of order by less than the lateness, those of a cluster in bursts."""
    found = []
    at_s = dict.fromkeys(CLUSTERS, 0.0)
    for number in range(count):
        cluster = random.choice(list(CLUSTERS))
        at_s[cluster] += random.choice([0.5, 2.0, 5.0, 9.0, 70.0 if number % 9 == 0 else 1.0])
        verb = random.choice(["get", "get", "get", "create", "delete", "update"])
        user = random.choice(["alice", "bob"])
        order = at_s[cluster] + random.uniform(0, 0.9 * LATENESS.total_seconds())
        found.append((order, cluster, act(number, round(at_s[cluster], 3), verb, user)))
    return [(cluster, event) for _, cluster, event in sorted(found, key=lambda one: one[0])]


def _append(log: dict[int, list[Record]], cluster: str, event: Mapping[str, Any]) -> None:
    partition = CLUSTERS[cluster]
    time = datetime.fromisoformat(str(event["stageTimestamp"]))
    received = time.astimezone(UTC) + timedelta(seconds=40)
    offset = len(log[partition])
    log[partition].append(
        message(offset, event, cluster=cluster, partition=partition, received=received)
    )


def write_logs(folder: Path, log: Mapping[int, Iterable[Record]]) -> Path:
    """Write what a topic holds as one file a cluster, for a scan."""
    folder.mkdir()
    lines: dict[str, list[bytes]] = {cluster: [] for cluster in CLUSTERS}
    for records in log.values():
        for record in records:
            if orjson.loads(record.value).get("kind") == "Event":
                lines[record.envelope.cluster].append(record.value + b"\n")
    for cluster, mine in lines.items():
        (folder / f"{cluster}.log").write_bytes(b"".join(mine))
    return folder


@dataclass
class Kept:
    """What Elasticsearch would hold: findings by id, with the fields of their end."""

    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    pending: list[Found] = field(default_factory=list)
    left: int | None = None
    """Writes until the process dies; None: it lives."""

    def add(self, found: Found, folded: Folded) -> None:
        del folded
        self.pending.append(found)

    def add_over_time(self, found: Found) -> None:
        self.pending.append(found)

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        raise AssertionError((partition, watermark_us, is_whole))

    def flush(self) -> Wait | None:
        for found in self.pending:
            for one in found.findings:
                self._may_die()
                self.findings.setdefault(one.id, dict(one.document))
            for closed in found.closed:
                self._may_die()
                self.findings[closed.finding] |= closing_fields(closed.end_us, closed.events)
        self.pending.clear()
        return None

    def _may_die(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash


@dataclass
class Topic:
    """The log, and what the group committed."""

    log: Mapping[int, Sequence[Record]]
    committed: dict[int, tuple[int, str]] = field(default_factory=dict)


class Crash(BaseException):
    """The process is gone."""


class Source:
    """Reads a topic in pieces whose length ``random`` decides."""

    def __init__(self, topic: Topic, random: Random) -> None:
        self.topic, self.random = topic, random
        self.lengths: Sequence[int] = (0, 1, 2, 7, 30)
        self.next: dict[int, int] = {}

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:
        del max_records, timeout_s
        found: list[Record] = []
        for number, offset in self.next.items():
            length = self.random.choice(self.lengths)
            found += self.topic.log[number][offset : offset + length]
            self.next[number] = min(offset + length, len(self.topic.log[number]))
        return found

    def idle(self, timeout_s: float) -> None:
        raise AssertionError(timeout_s)

    def high(self, partition: int) -> int | None:
        return len(self.topic.log[partition])

    def commit(self, positions: list[Position]) -> dict[int, str]:
        for one in positions:
            self.topic.committed[one.partition] = (one.offset, one.metadata)
        return {}

    def committed(self, partition: int) -> Committed | None:
        offset, metadata = self.topic.committed.get(partition, (None, ""))
        return Committed(partition, offset, metadata, 0, len(self.topic.log[partition]))

    def seek(self, partition: int, offset: int) -> None:
        self.next[partition] = offset

    @property
    def is_done(self) -> bool:
        return all(self.next[n] == len(self.topic.log[n]) for n in self.next)


@dataclass
class Running:
    """A worker in memory; dropping it is a crash."""

    worker: Worker
    source: Source
    stages: RealStages
    clock_s: list[float]

    def step(self) -> None:
        self.clock_s[0] += 0.7
        self.worker.step()

    def die(self, kept: Kept) -> None:
        """Drop all that a process has; what was written stays."""
        kept.pending.clear()
        kept.left = None
        self.worker.lose(list(self.source.next))


def start(
    topic: Topic,
    folder: Path,
    rules: Ruleset,
    kept: Outputs,
    random: Random,
    partitions: Sequence[int] = (0, 1),
    pace: Pace | None = None,
) -> Running:
    """Start a worker that owns some partitions."""
    clock_s = [0.0]
    counts = WorkerCounts()
    watch = Watch(clock=lambda: clock_s[0])
    pace = pace or Pace(snapshot_interval_s=random.choice([0.0, 4.0]))
    holdings = Holdings(FolderStores(folder, TOPIC), counts, pace, watch, begin_archive=False)
    stages = RealStages(TOPIC, rules, NormalizeSettings("", REDACTOR))
    holdings.detecting = stages.detecting()
    worker = Worker(TOPIC, stages, kept, holdings, counts)
    worker.source = source = Source(topic, random)
    given = [source.committed(number) for number in partitions]
    source.next.update(worker.assign([one for one in given if one is not None]))
    return Running(worker, source, stages, clock_s)


def finish(running: Running) -> None:
    """Read to the end, and checkpoint."""
    while not running.source.is_done:
        running.step()
    running.worker.checkpoint()
