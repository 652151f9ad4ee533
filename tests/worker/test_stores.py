"""Archive and snapshots in a real folder, as the worker asks for them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from ingest.schema import DTYPES
from sinks.archive import Segment
from tests.worker.messages import NOON
from worker.stores import FolderStores

TOPIC = "raw"


def events(first: int, *seconds: float, cluster: str = "blue") -> pl.DataFrame:
    """Return events at offsets from ``first`` on, of these times after noon."""
    rows: dict[str, list[object]] = {
        "@timestamp": [NOON + timedelta(seconds=second) for second in seconds],
        "event.id": [f"{first + n:032x}" for n in range(len(seconds))],
        "orchestrator.cluster.name": [cluster] * len(seconds),
        "log.offset": [first + n for n in range(len(seconds))],
    }
    return pl.DataFrame(
        {
            name: pl.Series(name, rows.get(name, [None] * len(seconds)), dtype)
            for name, dtype in DTYPES.items()
        }
    )


def archived(
    stores: FolderStores, first: int, next_offset: int, *frames: pl.DataFrame, partition: int = 0
) -> Segment:
    last = stores.last_segment(partition)
    writer = stores.writer(partition, first, last.sha256 if last else None)
    for frame in frames:
        writer.write(frame)
    return writer.close(next_offset)


def ids(frame: pl.DataFrame) -> list[int]:
    return [int(identifier, 16) for identifier in frame["event.id"]]


@pytest.fixture
def stores(tmp_path: Path) -> FolderStores:
    return FolderStores(tmp_path, TOPIC)


def test_a_new_folder_has_no_segment_no_snapshot_and_no_event(stores: FolderStores) -> None:
    assert stores.last_segment(0) is None
    assert list(stores.earlier_snapshots(0, 10**12)) == []
    recent = stores.recent_events(0, 100)
    assert recent.is_empty()
    assert recent.columns == [
        "orchestrator.cluster.name",
        "event.id",
        "event.dataset",
        "@timestamp",
    ]


def test_segments_are_found_again_by_partition_and_chained(
    stores: FolderStores, tmp_path: Path
) -> None:
    first = archived(stores, 0, 5, events(0, 1, 2))
    second = archived(stores, 5, 9, events(5, 3))
    archived(stores, 0, 70, partition=1)
    last = FolderStores(tmp_path, TOPIC).last_segment(0)
    assert last is not None
    assert (last.first, last.next, last.sha256) == (5, 9, second.sha256)
    assert last.previous_sha256 == first.sha256
    other = stores.last_segment(1)
    assert other is not None
    assert other.next == 70
    assert FolderStores(tmp_path, "other").last_segment(0) is None
    assert stores.archive == tmp_path / "archive"


def test_recent_events_come_in_log_order_up_to_the_offset(stores: FolderStores) -> None:
    red = events(1, 1.0, cluster="red")
    archived(stores, 0, 2, red, events(0, 0.0))
    archived(stores, 2, 6, events(2, 5.0, 4.0, 6.0, 7.0))
    recent = stores.recent_events(0, 4)
    assert ids(recent) == [0, 1, 2, 3]
    assert recent["orchestrator.cluster.name"].to_list() == ["blue", "red", "blue", "blue"]
    assert recent["@timestamp"].to_list()[2:] == [
        NOON + timedelta(seconds=5),
        NOON + timedelta(seconds=4),
    ]
    assert ids(stores.recent_events(0, 6)) == [0, 1, 2, 3, 4, 5]
    assert ids(stores.recent_events(0, 0)) == []
    assert ids(stores.recent_events(1, 4)) == []


def test_segments_are_read_back_until_twice_the_memory_is_covered(stores: FolderStores) -> None:
    archived(stores, 0, 1, events(0, -500.0))
    archived(stores, 1, 2, events(1, -121.0))
    archived(stores, 2, 3, events(2, -120.0))
    archived(stores, 3, 4, events(3, 0.0))
    assert ids(stores.recent_events(0, 4)) == [1, 2, 3]


def test_no_more_than_twenty_segments_are_read_back(stores: FolderStores) -> None:
    for number in range(22):
        archived(stores, number, number + 1, events(number, 0.0))
    assert ids(stores.recent_events(0, 22)) == list(range(2, 22))
    assert ids(stores.recent_events(0, 2)) == [0, 1]


def test_empty_segments_do_not_end_the_search(stores: FolderStores) -> None:
    archived(stores, 0, 1, events(0, 0.0))
    archived(stores, 1, 9)
    assert ids(stores.recent_events(0, 9)) == [0]


def test_a_snapshot_is_loaded_by_its_name_and_hash(stores: FolderStores, tmp_path: Path) -> None:
    name, digest = stores.save_snapshot(0, 40, b"state")
    assert FolderStores(tmp_path, TOPIC).load_snapshot(0, name, digest) == b"state"
    assert stores.load_snapshot(0, name, "0" * 64) is None
    assert stores.load_snapshot(0, name.replace("40-", "41-"), digest) is None


def test_a_snapshot_of_another_partition_or_topic_is_never_loaded(
    stores: FolderStores, tmp_path: Path
) -> None:
    name, digest = stores.save_snapshot(1, 40, b"state")
    assert stores.load_snapshot(0, name, digest) is None
    assert FolderStores(tmp_path, "ra").load_snapshot(1, name, digest) is None
    assert stores.load_snapshot(1, f"{TOPIC}/1/../1/{name.rpartition('/')[2]}", digest) is None
    ten, digest = stores.save_snapshot(10, 40, b"state")
    assert stores.load_snapshot(1, ten, digest) is None


def test_a_torn_snapshot_is_none_and_is_passed_over(stores: FolderStores, tmp_path: Path) -> None:
    old, _ = stores.save_snapshot(0, 30, b"old")
    name, digest = stores.save_snapshot(0, 40, b"state")
    (tmp_path / "state" / name).write_bytes(b"stat")
    assert stores.load_snapshot(0, name, digest) is None
    assert list(stores.earlier_snapshots(0, 50)) == [(old, b"old")]


def test_earlier_snapshots_reach_up_to_and_with_the_offset_newest_first(
    stores: FolderStores,
) -> None:
    for offset in (20, 30, 40):
        stores.save_snapshot(0, offset, str(offset).encode())
    stores.save_snapshot(1, 25, b"other")
    assert [data for _, data in stores.earlier_snapshots(0, 40)] == [b"40", b"30", b"20"]
    assert [data for _, data in stores.earlier_snapshots(0, 39)] == [b"30", b"20"]
    assert list(stores.earlier_snapshots(0, 19)) == []


def test_the_newest_three_snapshots_of_a_partition_are_kept(stores: FolderStores) -> None:
    stores.save_snapshot(1, 1, b"other")
    for offset in range(5):
        stores.save_snapshot(0, offset, str(offset).encode())
    assert [data for _, data in stores.earlier_snapshots(0, 9)] == [b"4", b"3", b"2"]
    assert len(list(stores.earlier_snapshots(1, 9))) == 1


def test_a_folder_that_cannot_be_made_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        FolderStores(tmp_path / "file", TOPIC)


def test_recent_events_of_a_cluster_that_lags_behind_reach_back_for_it_as_well(
    stores: FolderStores,
) -> None:
    """One cluster's old events must not make another's minute of ids look covered."""
    archived(stores, 0, 2, events(0, 0.0, 1.0))
    lagging = events(3, -7_200.0, -7_199.0, cluster="red")
    archived(stores, 2, 5, events(2, 10.0), lagging)
    assert 1 in ids(stores.recent_events(0, 5))


def test_one_late_event_does_not_make_the_memory_look_covered(stores: FolderStores) -> None:
    archived(stores, 0, 2, events(0, 0.0, 1.0))
    archived(stores, 2, 4, events(2, 10.0, -7_200.0))
    assert ids(stores.recent_events(0, 4)) == [0, 1, 2, 3]


def test_times_are_datetimes(stores: FolderStores) -> None:
    archived(stores, 0, 1, events(0, 0.0))
    assert isinstance(stores.recent_events(0, 1)["@timestamp"][0], datetime)
