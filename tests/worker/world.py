"""A world in memory: a topic, Elasticsearch, a store, and workers that may die at any call.

Everything that survives a crash lives in `World`; a worker's own objects do not. Each call of a
fake asks `World.may_crash` before and after it takes effect, so that a test can kill a worker at
any moment that the real one could be killed at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from ingest.envelope import Envelope, Format
from ingest.normalize import Normalized
from ingest.record import Reason, Refused, Stage
from ingest.schema import DTYPES
from ingest.sources.kafka import Committed, Position, Record
from sinks.archive import Counts, Segment, SegmentTakenError
from worker.counts import WorkerCounts
from worker.drain import Wait
from worker.fold import Folded
from worker.holdings import Holdings
from worker.pace import Pace, Watch
from worker.partition import Partition
from worker.stages import CONTROL, Found, place_of
from worker.stream import Worker

TOPIC = "raw"
BEGIN = datetime(2026, 11, 21, 12, tzinfo=UTC)
COLUMNS = (
    "event.id",
    "@timestamp",
    "orchestrator.cluster.name",
    "log.file.path",
    "log.offset",
    "event.created",
    "event.dataset",
)
_DATASET = "kubernetes.audit"


class Crash(BaseException):
    """The process is gone."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a record says: an id, its time in seconds, a cluster; ``bad`` ones are refused."""

    number: int
    time_s: int
    cluster: str = "blue"
    bad: bool = False
    canary: bool = False

    @property
    def id(self) -> str:
        return f"{self.number:032x}"

    @property
    def time(self) -> datetime:
        return BEGIN + timedelta(seconds=self.time_s)


@dataclass
class World:
    """What is left when every process has died."""

    partitions: int = 2
    log: dict[int, list[Item]] = field(default_factory=dict)
    committed: dict[int, tuple[int, str]] = field(default_factory=dict)
    owner: dict[int, object] = field(default_factory=dict)
    documents: dict[tuple[str, str], str] = field(default_factory=dict)
    quarantine: set[tuple[int, int]] = field(default_factory=set)
    segments: dict[tuple[int, int], tuple[Segment, list[str]]] = field(default_factory=dict)
    snapshots: dict[str, bytes] = field(default_factory=dict)
    crash_in: int | None = None
    clock_s: float = 0.0
    away_until_s: float = 0.0
    full_until_s: float = 0.0
    loses_answer: bool = False
    is_rebuilt: bool = False

    def __post_init__(self) -> None:
        self.log = {number: [] for number in range(self.partitions)}

    def may_crash(self) -> None:
        """Count down to the crash that a test asked for."""
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in < 0:
                self.crash_in = None
                raise Crash

    def pass_time(self, seconds: float) -> None:
        self.clock_s += seconds

    def heal(self) -> None:
        self.crash_in, self.loses_answer = None, False
        self.clock_s = max(self.clock_s, self.away_until_s, self.full_until_s)


class FakeStages:
    """Items become events of seven columns; every event is also its own finding's evidence."""

    def normalize(self, records: Sequence[Record]) -> Normalized:
        order = sorted(records, key=lambda r: (r.partition, r.envelope.cluster))
        items = [(record, read(record)) for record in order]
        rows = [
            (
                *(i.id, i.time, i.cluster, place_of(TOPIC, r.partition), r.offset),
                *(r.envelope.received, _DATASET),
            )
            for r, i in items
            if not i.bad and r.envelope.format not in CONTROL
        ]
        events = pl.DataFrame(rows, schema={n: DTYPES[n] for n in COLUMNS}, orient="row")
        refused = [
            Refused(
                Stage.DECODE, Reason.NOT_JSON, place_of(TOPIC, r.partition), r.offset, 1, "", "bad"
            )
            for r, i in items
            if i.bad
        ]
        return Normalized(events, refused)

    def detect(self, folded: Folded) -> Found:
        return Found(evidence=folded.fresh)


def read(record: Record) -> Item:
    number, time_s, cluster, bad, canary = record.value.decode().split()
    return Item(int(number), int(time_s), cluster, bad == "1", canary == "1")


def record_of(partition: int, offset: int, item: Item) -> Record:
    kind = Format.CANARY if item.canary else Format.RECORD
    envelope = Envelope(item.cluster, "c", kind, item.time + timedelta(seconds=1))
    value = f"{item.number} {item.time_s} {item.cluster} {item.bad:d} {item.canary:d}"
    return Record(partition, offset, value.encode(), envelope)


class FakeOutputs:
    """Elasticsearch and the quarantine of the world, with answers that can be lost."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pending: list[tuple[str, str]] = []
        self.refused: list[tuple[int, int]] = []

    def add(self, found: Found, folded: Folded) -> None:
        rows = found.evidence.select("event.id", "@timestamp").iter_rows()
        self.pending += [(f"{time:%Y.%m.%d}", identifier) for identifier, time in rows]
        self.refused += [(record.partition, record.offset) for record, _ in folded.refused]

    def add_over_time(self, found: Found) -> None:
        assert not found.findings, "nothing here is folded over time"

    def add_passed(self, partition: int, watermark_us: int | None, *, is_whole: bool) -> None:
        raise AssertionError((partition, watermark_us, is_whole))

    def flush(self) -> Wait | None:
        while self.pending:
            self.world.may_crash()
            if self.world.clock_s < self.world.away_until_s:
                return Wait("elasticsearch", 1.0, "away")
            index, identifier = self.pending[0]
            self.world.documents.setdefault((index, identifier), "created")
            self.world.may_crash()
            if self.world.loses_answer:
                self.world.loses_answer = False
                return Wait("elasticsearch", 1.0, "no answer")
            self.pending.pop(0)
        self.world.may_crash()
        self.world.quarantine.update(self.refused)
        self.refused.clear()
        self.world.may_crash()
        return None


class FakeWriter:
    """A segment in memory until it is closed: then it is there whole, or another's is."""

    def __init__(self, world: World, partition: int, first: int, previous: str | None) -> None:
        self.world, self.partition, self.first, self.previous = world, partition, first, previous
        self.ids: list[str] = []
        self.counts: dict[tuple[str, datetime], Counts] = {}

    def write(self, events: pl.DataFrame) -> None:
        self.world.may_crash()
        if self.world.clock_s < self.world.full_until_s:
            raise OSError(28, "No space left on device")
        self.ids += events["event.id"].to_list()

    def count(self, cluster: str, hour: datetime, counts: Counts) -> None:
        self.counts[cluster, hour] = self.counts.get((cluster, hour), Counts()) + counts

    def close(self, next_offset: int) -> Segment:
        self.world.may_crash()
        if self.world.clock_s < self.world.full_until_s:
            raise OSError(28, "No space left on device")
        segment = Segment(
            Path(f"{self.partition}/{self.first}"),
            TOPIC,
            self.partition,
            self.first,
            next_offset,
            f"sha-{self.partition}-{self.first}-{next_offset}",
            self.previous,
            len(self.ids),
            self.counts,
            None,
            None,
            1,
        )
        key = (self.partition, self.first)
        existing = self.world.segments.setdefault(key, (segment, self.ids))[0]
        self.world.may_crash()
        if existing is not segment:
            raise SegmentTakenError(existing)
        return segment

    def discard(self) -> None:
        self.ids = []


class FakeStores:
    """Archive and snapshots of the world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def last_segment(self, partition: int) -> Segment | None:
        mine = [key for key in self.world.segments if key[0] == partition]
        return self.world.segments[max(mine)][0] if mine else None

    def writer(self, partition: int, first: int, previous_sha256: str | None) -> FakeWriter:
        return FakeWriter(self.world, partition, first, previous_sha256)

    def recent_events(self, partition: int, before: int) -> pl.DataFrame:
        self.world.is_rebuilt = True
        log = self.world.log[partition][:before]
        archived = {
            i for key, (_, ids) in self.world.segments.items() for i in ids if key[0] == partition
        }
        seen: set[str] = set()
        rows = []
        for item in log:
            if item.id in archived and item.id not in seen and not item.bad and not item.canary:
                seen.add(item.id)
                rows.append((item.cluster, item.id, _DATASET, item.time))
        names = ("orchestrator.cluster.name", "event.id", "event.dataset", "@timestamp")
        return pl.DataFrame(rows, schema={n: DTYPES[n] for n in names}, orient="row")

    def history(self, *_: int) -> list[pl.DataFrame]:
        raise AssertionError("nothing here is folded over time")

    def save_snapshot(self, partition: int, offset: int, data: bytes) -> tuple[str, str]:
        self.world.may_crash()
        if self.world.clock_s < self.world.full_until_s:
            raise OSError(28, "No space left on device")
        name = f"{partition}/{offset:020}"
        self.world.snapshots[name] = data
        self.world.may_crash()
        return name, f"sha-{name}"

    def load_snapshot(self, partition: int, name: str, sha256: str) -> bytes | None:
        assert sha256 == f"sha-{name}"
        assert name.startswith(f"{partition}/")
        return self.world.snapshots.get(name)

    def earlier_snapshots(self, partition: int, before: int) -> Iterator[tuple[str, bytes]]:
        for name in sorted(self.world.snapshots, reverse=True):
            if name.startswith(f"{partition}/") and int(name.split("/")[1]) <= before:
                yield name, self.world.snapshots[name]


class FakeSource:
    """A member of the group: the topic of the world as one worker sees it."""

    def __init__(self, world: World, worker: Worker) -> None:
        self.world, self.worker = world, worker
        self.next: dict[int, int] = {}
        self.to_revoke: list[int] = []
        self.to_lose: list[int] = []
        self.to_assign: list[int] = []
        self.fetches = 0

    def poll(self, max_records: int, timeout_s: float) -> list[Record]:  # noqa: ARG002
        found = self.fetch()  # librdkafka may hand these out although a rebalance comes next
        if self.fetches % 3:  # else it comes while a sink is waited for
            self.serve()
        self.world.may_crash()
        return found + self.fetch()

    def fetch(self) -> list[Record]:
        """Take one to four records of each partition, so that no two batches are cut alike."""
        self.fetches += 1
        found = []
        for number, offset in self.next.items():
            items = self.world.log[number][offset : offset + 1 + self.fetches % 4]
            found += [record_of(number, offset + i, item) for i, item in enumerate(items)]
        for record in found:
            self.next[record.partition] = record.offset + 1
        return found

    def idle(self, timeout_s: float) -> None:
        self.serve()
        self.world.may_crash()
        self.world.pass_time(timeout_s)

    def serve(self) -> None:
        """Tell the worker of what the group decided, as librdkafka does within a poll."""
        revoked, self.to_revoke = self.to_revoke, []
        revoked = sorted(number for number in set(revoked) if number in self.next)
        for number in revoked:
            del self.next[number]
        if revoked:
            self.worker.revoke(revoked)
            for number in revoked:
                if self.world.owner.get(number) is self:
                    del self.world.owner[number]
        lost, self.to_lose = sorted(set(self.to_lose)), []
        for number in lost:
            self.next.pop(number, None)
        if lost:
            self.worker.lose(lost)
        wanted = sorted({n for n in self.to_assign if self.world.owner.get(n) is None})
        self.to_assign = [n for n in self.to_assign if self.world.owner.get(n) not in {None, self}]
        for number in wanted:
            self.world.owner[number] = self
        if wanted:
            self.next.update(self.worker.assign([self._committed(number) for number in wanted]))

    def commit(self, positions: list[Position]) -> dict[int, str]:
        self.world.may_crash()
        refused = {}
        for one in positions:
            if self.world.owner.get(one.partition) is not self:
                refused[one.partition] = "fenced"
                continue
            self.world.committed[one.partition] = (one.offset, one.metadata)
        self.world.may_crash()
        return refused

    def committed(self, partition: int) -> Committed | None:
        return self._committed(partition) if partition in self.next else None

    def _committed(self, number: int) -> Committed:
        offset, metadata = self.world.committed.get(number, (None, ""))
        return Committed(number, offset, metadata, 0, len(self.world.log[number]))

    def seek(self, partition: int, offset: int) -> None:
        self.next[partition] = offset

    def high(self, partition: int) -> int | None:
        return len(self.world.log[partition])


def new_worker(world: World, *, snapshots: bool = True) -> tuple[Worker, FakeSource]:
    """Start a worker; it has no partitions before the group gives it some."""
    counts = WorkerCounts()
    pace = Pace(snapshot_interval_s=0.0 if snapshots else 1e9, revoke_deadline_s=3.0)
    watch = Watch(clock=lambda: world.clock_s, sleep=world.pass_time)
    holdings = Holdings(FakeStores(world), counts, pace, watch, begin_archive=False)
    worker = Worker(TOPIC, FakeStages(), FakeOutputs(world), holdings, counts)
    source = FakeSource(world, worker)
    worker.source = source
    return worker, source


def folded_at_once(items: Mapping[int, list[Item]]) -> dict[int, Partition]:
    """Return the state that the whole log gives when nothing ever goes wrong."""
    world = World(len(items))
    world.log = {number: list(log) for number, log in items.items()}
    worker, source = new_worker(world)
    source.to_assign = list(items)
    while worker.step():
        pass
    return worker.holdings.partitions
