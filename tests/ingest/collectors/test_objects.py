"""What a store holds is in Kafka before the checkpoint passes it, once, whatever fails between."""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pytest

from ingest.collectors import objects
from ingest.collectors.checkpoint_file import CheckpointFile
from ingest.collectors.object_reader import Listed
from ingest.collectors.objects import Done, Objects, ObjectsOptions
from ingest.collectors.producer import Answer, ProducerFullError
from ingest.envelope import Envelope, Format
from ingest.sources.object_store import BadAddressError, ObjectStore

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
INTERVAL_S = 60.0


def event(number: int) -> bytes:
    return b'{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"%06d"}' % number


def lines(*numbers: int) -> bytes:
    return b"".join(event(number) + b"\n" for number in numbers)


class Kafka:
    """Takes records, with room for some; answers when polled, unless it is away."""

    def __init__(self, room: int = 10_000) -> None:
        self.room = room
        self.is_away = False
        self.taken: list[tuple[Envelope, bytes]] = []
        self._on_the_way: deque[tuple[Envelope, bytes, Answer]] = deque()

    @property
    def records(self) -> list[bytes]:
        return [raw for envelope, raw in self.taken if envelope.format is not Format.CANARY]

    def send(self, envelope: Envelope, value: bytes, on_delivery: Answer) -> None:
        if len(self._on_the_way) >= self.room:
            raise ProducerFullError("full")
        self._on_the_way.append((envelope, value, on_delivery))

    def poll(self, _: float) -> None:
        while self._on_the_way and not self.is_away:
            envelope, value, answer = self._on_the_way.popleft()
            self.taken.append((envelope, value))
            answer(None)

    def flush(self, _: float) -> int:
        self.poll(0)
        return len(self._on_the_way)


@dataclass
class World:
    """A folder as a store, Kafka, and collectors that come and go."""

    folder: Path
    kafka: Kafka = field(default_factory=Kafka)
    cluster: str | None = "blue"
    notes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    clock_s: float = 0.0

    def put(self, name: str, data: bytes, modified_s: float = 1_800_000_000.0) -> Path:
        path = self.folder / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (modified_s, modified_s))
        return path

    def collector(self, store: Any = None, **options: Any) -> Objects:
        (self.folder / "store").mkdir(exist_ok=True)
        return Objects(
            ObjectsOptions(self.cluster, "mover", self.folder / "spool", INTERVAL_S, **options),
            store or ObjectStore(str(self.folder / "store")),
            self.kafka,
            CheckpointFile(self.folder / "state.json", Done),
            note=lambda name, **fields: self.notes.append((name, fields)),
        )

    def run(self, collector: Objects, steps: int = 200) -> None:
        """Step until nothing is left to do."""
        for _ in range(steps):
            self.clock_s += collector.step(NOW, self.clock_s)
            if collector.is_idle:
                break

    def again(self, collector: Objects) -> None:
        """Let the time of the next listing come."""
        self.clock_s += INTERVAL_S
        self.run(collector)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_all_objects_are_sent_the_oldest_first(world: World) -> None:
    world.put("2026/11/b.json", lines(3), 1_800_000_002.0)
    world.put("2026/11/a.log.gz", gzip.compress(lines(1)) + gzip.compress(lines(2)))
    world.put("empty", b"")
    collector = world.collector()
    world.run(collector)
    assert world.kafka.records == [event(1), event(2), event(3)]
    envelope = next(one for one, raw in world.kafka.taken if raw == event(3))
    assert (envelope.cluster, envelope.collector, envelope.received) == ("blue", "mover", NOW)
    assert envelope.source.endswith("2026/11/b.json")


def test_an_object_is_sent_once_by_one_collector_and_the_next(world: World) -> None:
    world.put("a", lines(1, 2))
    collector = world.collector()
    world.run(collector)
    world.again(collector)
    assert collector.close(1.0) == 0
    after = world.collector()
    world.run(after)
    assert world.kafka.records == [event(1), event(2)]
    world.put("b", lines(3), 1_700_000_000.0)  # older than all before: still new
    world.again(after)
    assert world.kafka.records[2:] == [event(3)]


def test_of_an_object_that_grows_only_what_is_new_is_sent(world: World) -> None:
    world.put("a", lines(1, 2))
    collector = world.collector()
    world.run(collector)
    world.put("a", lines(1, 2, 3), 1_800_000_100.0)
    world.again(collector)
    assert world.kafka.records == [event(1), event(2), event(3)]


def test_a_half_line_is_sent_when_it_is_whole(world: World) -> None:
    world.put("a", lines(1) + event(2)[:20])
    collector = world.collector()
    world.run(collector)
    world.put("a", lines(1, 2), 1_800_000_100.0)
    world.again(collector)
    assert world.kafka.records == [event(1), event(2)]


def test_an_object_that_was_written_anew_is_sent_anew(world: World) -> None:
    world.put("a", lines(1, 2))
    collector = world.collector()
    world.run(collector)
    world.put("a", lines(7), 1_800_000_100.0)
    world.again(collector)
    assert world.kafka.records == [event(1), event(2), event(7)]


def test_what_kafka_has_not_acknowledged_is_not_done(world: World) -> None:
    world.put("a", lines(1, 2))
    world.kafka.is_away = True
    collector = world.collector()
    world.run(collector, 5)
    assert not collector.is_idle
    collector.close(0.0)
    world.kafka = Kafka()
    after = world.collector()
    world.run(after)
    assert world.kafka.records == [event(1), event(2)]


def test_a_producer_without_room_is_waited_for(world: World) -> None:
    world.put("a", lines(*range(100)))
    world.kafka = Kafka(room=7)
    collector = world.collector(canary_interval_s=0.0)
    world.run(collector)
    assert world.kafka.records == [event(number) for number in range(100)]


class Unreliable:
    """A store that gives half of an object, then fails, and later all of it."""

    def __init__(self, store: ObjectStore) -> None:
        self.store = store
        self.is_failing = True

    def objects(self) -> Iterable[Listed]:
        return self.store.objects()

    def open(self, path: str) -> BinaryIO:
        file = self.store.open(path)
        return Torn(file.read()) if self.is_failing else file


class Torn(BytesIO):
    def __init__(self, data: bytes) -> None:
        super().__init__(data[: len(data) // 2])

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data:
            raise OSError("connection reset")
        return data


def test_what_a_store_does_not_give_is_read_again(world: World) -> None:
    world.put("a", lines(1, 2, 3, 4))
    store = Unreliable(ObjectStore(str(world.folder / "store")))
    collector = world.collector(store)
    world.run(collector)
    assert event(4) not in world.kafka.records
    assert any(name == "not_read_to_its_end" for name, _ in world.notes)
    store.is_failing = False
    world.again(collector)
    assert set(world.kafka.records) == {event(number) for number in (1, 2, 3, 4)}


def test_a_store_that_does_not_answer_is_asked_again(world: World) -> None:
    collector = world.collector(ObjectStore(str(world.folder / "missing")))
    world.run(collector, 3)
    assert [name for name, _ in world.notes] == ["not_listed"]
    (world.folder / "missing").mkdir()
    (world.folder / "missing" / "a").write_bytes(lines(1))
    world.again(collector)
    assert world.kafka.records == [event(1)]


def aks(cluster: str, *events: bytes, category: str = "kube-audit") -> bytes:
    place = "/SUBSCRIPTIONS/0/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS"
    return orjson.dumps(
        {
            "records": [
                {
                    "category": category,
                    "resourceId": f"{place}/{cluster}",
                    "properties": {"log": one.decode()},
                }
                for one in events
            ]
        }
    )


def test_envelopes_are_opened_and_name_their_cluster(world: World) -> None:
    world.cluster = None
    world.put("a", aks("RED", event(1), event(2)) + b"\n" + event(3))
    collector = world.collector(canary_interval_s=0.0)
    world.run(collector)
    found = [(envelope.cluster.lower(), raw) for envelope, raw in world.kafka.taken]
    assert found == [("red", event(1)), ("red", event(2)), ("unknown", event(3))]
    assert [name for name, _ in world.notes] == ["no_cluster"]


def test_a_cluster_of_the_settings_wins_over_an_envelope(world: World) -> None:
    world.put("a", aks("RED", event(1)))
    world.run(world.collector())
    assert world.kafka.taken[0][0].cluster == "blue"


def test_another_category_is_not_sent(world: World) -> None:
    world.put("a", aks("RED", b"klog", category="kube-scheduler") + b"\n" + event(1))
    collector = world.collector()
    world.run(collector)
    assert world.kafka.records == [event(1)]
    assert collector.counts.refused["not-wanted"] == 1


def test_canaries_are_signs_of_life_only(world: World) -> None:
    world.put("a", lines(1))
    collector = world.collector()
    world.run(collector)
    world.again(collector)
    canaries = [raw for envelope, raw in world.kafka.taken if envelope.format is Format.CANARY]
    assert canaries
    assert all(orjson.loads(raw)["caught_up"] is False for raw in canaries)
    assert collector.counts.canaries == len(canaries)


def test_what_is_remembered_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "MOST_DONE", 20)
    for number in range(50):
        world.put(f"{number:02}", lines(number), 1_800_000_000.0 + number)
    collector = world.collector()
    world.run(collector)
    world.again(collector)
    collector.close(1.0)
    assert len(orjson.loads((world.folder / "state.json").read_bytes())["files"]) <= 21
    world.run(world.collector())
    assert world.kafka.records == [event(number) for number in range(50)]


@pytest.mark.parametrize("address", ["ftp://host/x", "s3://key:secret@bucket/x", "http://x/y"])
def test_an_address_that_is_none_is_refused_without_its_secret(address: str) -> None:
    with pytest.raises(BadAddressError) as caught:
        ObjectStore(address)
    assert "secret" not in str(caught.value)


def test_the_clouds_schemes_are_taken() -> None:
    assert ObjectStore("file:///tmp").name == "file:///tmp"
    assert ObjectStore("s3://bucket/prefix?region=eu-west-1").name == "s3://bucket/prefix"
    assert ObjectStore("gs://bucket/prefix").name == "gs://bucket/prefix"
