"""Workers that send signals, members that correlate them, and the topic between, in memory.

The topic, what was committed and the folders outlive a process; everything else dies with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

import msgspec

from detectors.correlation.report import closing_fields
from detectors.engine import detect
from detectors.ruleset import Ruleset
from ingest.envelope import Envelope, Format
from ingest.normalize import NormalizeSettings
from ingest.sources.kafka import Record
from sinks.signals import Passed, Signal, messages_of
from tests.worker.messages import NOON, TOPIC
from tests.worker.over_time import (
    ALL,
    REDACTOR,
    Crash,
    Kept,
    Source,
    Topic,
    rules_in,
)
from worker.correlate import Correlator
from worker.counts import WorkerCounts
from worker.drain import Wait
from worker.fold import Folded
from worker.pace import Pace, Watch
from worker.stages import Found, RealStages
from worker.stores import FolderStores

REACH = "trailwarden: {across_clusters: true}\n"
RAW_PARTITIONS = 2
ENVELOPE = Envelope("", "", Format.RECORD, NOON)


def across_in(folder: Path, files: Sequence[str] = ALL[:-1]) -> Ruleset:
    """Load rules over time as ones that reach over clusters."""
    return rules_in(folder, [text + REACH for text in files])


class SignalLog:
    """The topic `signals`: messages with the same key share a partition."""

    def __init__(self, partitions: int = 3) -> None:
        self.topic = Topic({number: [] for number in range(partitions)})

    @property
    def log(self) -> Mapping[int, Sequence[Record]]:
        return self.topic.log

    def send(self, key: bytes, value: bytes) -> None:
        self.append(crc32(key) % len(self.log), value)

    def tell(self, passed: Passed) -> None:
        for number in self.log:
            self.append(number, msgspec.msgpack.encode(passed))

    def append(self, number: int, value: bytes) -> None:
        messages = self.topic.log[number]
        assert isinstance(messages, list)
        messages.append(Record(number, len(messages), value, ENVELOPE))


@dataclass
class Sending:
    """A worker's way out, of which only signals matter."""

    to: SignalLog
    now_us: int = 0
    pending: list[tuple[bytes, bytes]] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    left: int | None = None
    """Messages until the process dies; None: it lives."""

    def add(self, found: Found, folded: Folded) -> None:
        del folded
        if found.signals is not None:
            self.pending += messages_of(found.signals)

    def add_over_time(self, found: Found) -> None:
        del found

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        self.now_us += 1
        self.passed.append(Passed(partition, RAW_PARTITIONS, watermark_us, is_whole, self.now_us))

    def flush(self) -> Wait | None:
        while self.pending:
            self._may_die()
            self.to.send(*self.pending.pop(0))
        while self.passed:
            self._may_die()
            self.to.tell(self.passed.pop(0))
        return None

    def _may_die(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                raise Crash


@dataclass
class Correlating:
    """A member in memory; dropping it is a crash."""

    correlator: Correlator
    source: Source
    clock_s: list[float]

    def step(self) -> None:
        self.clock_s[0] += 0.7
        self.correlator.step()

    def finish(self) -> None:
        """Read to the end, and checkpoint."""
        while not self.source.is_done:
            self.step()
        self.correlator.checkpoint()


def correlate(
    signals: SignalLog,
    folder: Path,
    rules: Ruleset,
    kept: Kept,
    random: Random,
    partitions: Sequence[int] = (0, 1, 2),
    told: list[tuple[str, dict[str, Any]]] | None = None,
) -> Correlating:
    """Start a member that owns some partitions of `signals`."""
    clock_s = [0.0]

    def log(event: str, **values: Any) -> None:
        if told is not None:
            told.append((event, values))

    pace = Pace(
        release_s=random.choice([0.0, 2.0, 1e9]), snapshot_interval_s=random.choice([0.0, 4.0])
    )
    correlator = Correlator(
        rules,
        kept,
        FolderStores(folder, "signals"),
        WorkerCounts(),
        pace=pace,
        watch=Watch(clock=lambda: clock_s[0], log=log),
    )
    correlator.source = source = Source(signals.topic, random)
    given = [source.committed(number) for number in partitions]
    source.next.update(correlator.assign([one for one in given if one is not None]))
    return Correlating(correlator, source, clock_s)


def at_once(log: Mapping[int, Sequence[Record]], rules: Ruleset) -> dict[str, dict[str, Any]]:
    """Return the findings, with their ends, of one state that is fed everything at once."""
    stages = RealStages(TOPIC, rules, NormalizeSettings("", REDACTOR))
    events = stages.normalize([record for records in log.values() for record in records]).events
    events = events.unique("event.id", keep="first", maintain_order=True)
    state = rules.over_clusters()
    state.add(events, detect(events, rules.pack.rules))
    released = state.release(None)
    found = {one.id: dict(one.document) for one in released.findings}
    for closed in released.closed:
        found[closed.finding] |= closing_fields(closed.end_us, closed.events)
    return found


def signal(rules: Ruleset, number: int, at_s: float, **members: Any) -> Signal:
    """Return a signal of the first correlation of a pack."""
    time = NOON + timedelta(seconds=at_s)
    time_us = int(time.timestamp()) * 1_000_000
    document = {
        "event.id": f"{number:032x}",
        "@timestamp": time,
        "orchestrator.cluster.name": "blue",
    }
    content = rules.across.correlations[0].content_hash
    values: dict[str, Any] = {
        "correlation": content,
        "part": 0,
        "base": 0,
        "key": 1,
        "time": time_us,
        "event": f"{number:032x}",
        "value": number,
        "number": None,
        "peer": None,
        "audit": None,
        "text": None,
        "document": document,
    }
    return Signal(**(values | members))
