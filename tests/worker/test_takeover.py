"""Each way to take a partition over: restored as if nothing had happened, or refused with why."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl
import pytest

from detectors.remembered import save
from ingest.schema import DTYPES
from ingest.sources.kafka import Committed
from sinks.archive import Segment
from tests.worker.world import BEGIN, World, new_worker
from worker.cluster_memory import Marks
from worker.partition import (
    STATE_SCHEMA,
    Partition,
    Snapshot,
    SnapshotReference,
    nothing_remembered,
    write_reference,
)
from worker.takeover import Detecting, StoreMismatchError, take_over

NOON_US = int(BEGIN.timestamp()) * 1_000_000
ARCHIVED = 9


NOTHING = save(nothing_remembered())


class Stores:
    """Snapshots by name, newest last, and an archive of one segment and one event."""

    def __init__(self, next_offset: int | None = None) -> None:
        self.snapshots: dict[str, bytes] = {}
        self.next_offset = next_offset
        self.asked: list[tuple[int, int]] = []

    def last_segment(self, partition: int) -> Segment | None:
        if self.next_offset is None:
            return None
        return Segment(
            Path("s"), "raw", partition, 0, self.next_offset, "h", None, 0, {}, None, None, 1
        )

    def writer(self, *_: object) -> None:
        raise AssertionError

    def history(self, *_: int) -> list[pl.DataFrame]:
        raise AssertionError("nothing here is folded over time")

    def recent_events(self, partition: int, before: int) -> pl.DataFrame:
        self.asked.append((partition, before))
        names = ("orchestrator.cluster.name", "event.id", "event.dataset", "@timestamp")
        later = BEGIN + timedelta(hours=1)
        rows = [
            ("blue", f"{ARCHIVED:032x}", "kubernetes.audit", BEGIN),
            ("red", f"{1:032x}", "kubernetes.audit", BEGIN),
            ("red", f"{2:032x}", "trailwarden.verdict", later),
        ]
        return pl.DataFrame(rows, schema={n: DTYPES[n] for n in names}, orient="row")

    def save_snapshot(self, *_: object) -> tuple[str, str]:
        raise AssertionError

    def load_snapshot(self, partition: int, name: str, digest: str) -> bytes | None:
        assert partition == 5
        data = self.snapshots.get(name)
        return data if data is not None and sha256(data).hexdigest() == digest else None

    def earlier_snapshots(self, partition: int, before: int) -> list[tuple[str, bytes]]:
        assert partition == 5
        found = [(n, d) for n, d in sorted(self.snapshots.items(), reverse=True)]
        return [(name, data) for name, data in found if int(name) <= before]

    def keep(self, offset: int, schema: int = STATE_SCHEMA) -> str:
        """Keep a snapshot that remembers its offset as an id; return the metadata for it."""
        held = Partition(5, offset, 0, 0)
        held.memory("blue").mark([f"{offset:032x}"], [NOON_US], Marks())
        data = held.snapshot()
        if schema != STATE_SCHEMA:
            data = msgspec.msgpack.encode(
                Snapshot(schema, offset, {"blue": held.memories["blue"].save()}, NOTHING)
            )
        name = f"{offset:04}"
        self.snapshots[name] = data
        digest = sha256(data).hexdigest()
        return write_reference(SnapshotReference(name, offset, digest, schema, "old-pack"))


def committed(offset: int | None, metadata: str = "", low: int = 0, high: int = 999) -> Committed:
    return Committed(5, offset, metadata, low, high)


def taken(stores: Stores, one: Committed, *, begin_archive: bool = False) -> Partition:
    return take_over(
        one,
        stores,  # type: ignore[arg-type]  # a fake
        Detecting("new-pack"),
        begin_archive=begin_archive,
        now_s=7.0,
    )


def remembers(partition: Partition, number: int) -> bool:
    marks = Marks()
    partition.memory("blue").mark([f"{number:032x}"], [NOON_US], marks)
    return marks.keep == [False]


def test_a_partition_never_committed_begins_where_the_topic_does_and_remembers_nothing() -> None:
    stores = Stores()
    stores.keep(40)
    held = taken(stores, committed(None, low=30))
    assert (held.position, held.sinks_from, held.archived) == (30, 30, 30)
    assert held.memories == {}
    assert stores.asked == []
    assert held.reference is None
    assert held.snapshot_time_s == 7.0


def test_an_archive_ahead_of_what_was_never_committed_is_not_written_again() -> None:
    held = taken(Stores(50), committed(None))
    assert (held.position, held.sinks_from, held.archived) == (0, 0, 50)


def test_the_committed_snapshot_is_folded_on_from_its_offset_with_the_sinks_off() -> None:
    stores = Stores(120)
    stores.keep(60)
    stores.keep(80)
    held = taken(stores, committed(100, stores.keep(70)))
    assert (held.position, held.sinks_from, held.archived) == (70, 100, 120)
    assert remembers(held, 70)
    assert held.reference is not None
    assert (held.reference.snapshot, held.reference.pack) == ("0070", "old-pack")
    assert held.last_segment is not None
    assert stores.asked == []


@pytest.mark.parametrize("torn", [None, b"", b"torn"])
def test_a_missing_or_torn_snapshot_gives_way_to_the_one_before(torn: bytes | None) -> None:
    stores = Stores(100)
    stores.keep(60)
    metadata = stores.keep(70)
    if torn is None:
        del stores.snapshots["0070"]
    else:
        stores.snapshots["0070"] = torn
    held = taken(stores, committed(100, metadata))
    assert (held.position, held.sinks_from) == (60, 100)
    assert remembers(held, 60)
    data = stores.snapshots["0060"]
    assert held.reference == SnapshotReference(
        "0060", 60, sha256(data).hexdigest(), STATE_SCHEMA, "new-pack"
    )


def test_a_snapshot_of_another_schema_gives_way_to_the_one_before() -> None:
    stores = Stores(100)
    stores.keep(60)
    held = taken(stores, committed(100, stores.keep(70, schema=STATE_SCHEMA + 1)))
    assert held.position == 60


def test_a_reference_of_another_schema_is_not_followed() -> None:
    stores = Stores(100)
    stores.keep(60)
    stores.keep(70)
    data = stores.snapshots["0060"]
    reference = SnapshotReference("0060", 60, sha256(data).hexdigest(), STATE_SCHEMA + 1, "p")
    assert taken(stores, committed(100, write_reference(reference))).position == 70


@pytest.mark.parametrize("metadata", ["", "x", "{}"])
def test_without_a_readable_reference_the_newest_earlier_snapshot_serves(metadata: str) -> None:
    stores = Stores(200)
    stores.keep(100)
    stores.keep(101)
    assert taken(stores, committed(100, metadata)).position == 100


def test_a_snapshot_beyond_what_was_committed_is_not_used() -> None:
    stores = Stores(200)
    metadata = stores.keep(150)
    stores.keep(60)
    assert taken(stores, committed(100, metadata)).position == 60


def test_a_snapshot_from_before_the_topics_beginning_gives_way_to_the_archive() -> None:
    stores = Stores(100)
    metadata = stores.keep(70)
    held = taken(stores, committed(100, metadata, low=71))
    assert held.position == 100
    assert not remembers(held, 70)
    assert remembers(held, ARCHIVED)
    assert stores.asked == [(5, 100)]
    again = taken(stores, committed(100, metadata, low=70))
    assert again.position == 70


def test_with_no_snapshot_at_all_the_archive_is_folded() -> None:
    stores = Stores(110)
    held = taken(stores, committed(100))
    assert (held.position, held.sinks_from, held.archived) == (100, 100, 110)
    assert remembers(held, ARCHIVED)
    assert set(held.memories) == {"blue", "red"}
    assert held.memories["blue"].newest_us == NOON_US
    assert held.memories["red"].newest_us == NOON_US, "a verdict moves no time"
    assert held.reference is None
    assert stores.asked == [(5, 100)]


def test_a_torn_snapshot_leaves_nothing_behind_for_the_fold_of_the_archive() -> None:
    stores = Stores(100)
    stores.keep(70)
    stores.snapshots["0070"] = msgspec.msgpack.encode(
        Snapshot(
            STATE_SCHEMA, 120, {"green": Partition(5, 0, 0, 0).memory("green").save()}, NOTHING
        )
    )
    held = taken(stores, committed(100))
    assert set(held.memories) == {"blue", "red"}
    assert held.position == 100


@pytest.mark.parametrize(
    ("next_offset", "one", "words"),
    [
        (None, committed(100), ["partition 5", "100", "no segment", "store.begin_archive"]),
        (99, committed(100), ["partition 5", "100 is committed", "ends at 99", "store.folder"]),
        (101, committed(100, high=100), ["partition 5", "101", "100", "not the one"]),
        (1, committed(None, high=0), ["partition 5", "not the one"]),
    ],
)
def test_an_archive_that_is_not_the_topics_is_refused_with_the_numbers(
    next_offset: int | None, one: Committed, words: list[str]
) -> None:
    with pytest.raises(StoreMismatchError) as caught:
        taken(Stores(next_offset), one)
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("next_offset", "one"),
    [
        (None, committed(None)),
        (None, committed(0)),
        (None, committed(30, low=30)),
        (None, committed(20, low=30)),
        (100, committed(100, high=100)),
        (50, committed(30, low=60)),
    ],
)
def test_an_archive_that_may_be_the_topics_is_taken(
    next_offset: int | None, one: Committed
) -> None:
    assert taken(Stores(next_offset), one).position == max(one.low, one.offset or 0)


def test_begin_archive_allows_an_empty_archive_and_no_other_mismatch() -> None:
    held = taken(Stores(), committed(100), begin_archive=True)
    assert (held.position, held.archived) == (100, 100)
    with pytest.raises(StoreMismatchError):
        taken(Stores(99), committed(100), begin_archive=True)


def test_records_that_retention_deleted_are_reported_counted_and_passed_over() -> None:
    world = World(2)
    worker, _ = new_worker(world)
    told: list[tuple[str, dict[str, object]]] = []
    worker.holdings.watch = type(worker.holdings.watch)(
        log=lambda event, **values: told.append((event, values)), clock=lambda: 0.0
    )
    starts = worker.assign([Committed(0, 20, "", 30, 90), Committed(1, None, "", 30, 90)])
    assert starts == {0: 30, 1: 30}
    lost = [values for event, values in told if event == "records-lost"]
    assert lost == [{"partition": 0, "expected": 20, "low": 30}]
    counts = worker.holdings._counts
    assert counts.lost_records == 10
    worker.holdings._begin_archive = True
    worker.assign([Committed(0, 30, "", 30, 90), Committed(1, 31, "", 30, 90)])
    assert counts.lost_records == 10
