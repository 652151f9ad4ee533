from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from ingest.schema import DTYPES, SCHEMA_VERSION
from sinks.archive import (
    ArchiveDamagedError,
    SchemaUnknownError,
    SegmentWriter,
    last_segment,
    list_segments,
    read_events,
    scan_segments,
    writer,
)
from sinks.archive.reading import UP_CONVERSIONS
from tests.sinks.archive.conftest import NOON, Frame, Partition


def test_nothing_is_there_before_anything_was_written(tmp_path: Path) -> None:
    assert last_segment(tmp_path / "none", "raw", 0) is None
    assert list_segments(tmp_path / "none", "raw") == []
    assert read_events(tmp_path / "none").collect().height == 0


def test_the_last_segment_is_the_one_of_the_highest_offset(
    tmp_path: Path, partition: Partition
) -> None:
    partition(tmp_path, number=0, segments=12)
    partition(tmp_path, number=1, segments=2)
    found = last_segment(tmp_path, "raw", 0)
    assert found is not None
    assert (found.first, found.next) == (55, 60)


def test_segments_are_listed_by_partition_and_offset(tmp_path: Path, partition: Partition) -> None:
    for number in (10, 2):
        partition(tmp_path, number=number, segments=2)
    partition(tmp_path, topic="other")
    found = list_segments(tmp_path, "raw")
    assert [(s.partition, s.first) for s in found] == [(2, 0), (2, 5), (10, 0), (10, 5)]
    assert [s.first for s in list_segments(tmp_path, "raw", 10)] == [0, 5]
    assert {s.sha256 for s in found} == {None}


def test_older_footers_are_not_read_when_an_offset_is_asked_for(
    tmp_path: Path, partition: Partition
) -> None:
    partition(tmp_path)[0].path.write_bytes(b"not read")
    firsts = {
        offset: [s.first for s in list_segments(tmp_path, "raw", from_offset=offset)]
        for offset in (5, 9, 10, 99)
    }
    assert firsts == {5: [5, 10], 9: [5, 10], 10: [10], 99: [10]}
    with pytest.raises(ArchiveDamagedError):
        list_segments(tmp_path, "raw", from_offset=4)


def test_a_damaged_last_segment_is_reported_and_not_passed_over(
    tmp_path: Path, partition: Partition
) -> None:
    path = partition(tmp_path)[-1].path
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ArchiveDamagedError, match=path.name):
        last_segment(tmp_path, "raw", 0)
    with pytest.raises(ArchiveDamagedError, match=path.name):
        read_events(tmp_path)


def test_a_last_segment_with_one_bit_changed_is_not_built_upon(
    tmp_path: Path, partition: Partition
) -> None:
    path = partition(tmp_path)[-1].path
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArchiveDamagedError, match="not those that were sealed"):
        last_segment(tmp_path, "raw", 0)


def test_a_segment_of_another_place_is_not_built_upon(tmp_path: Path, partition: Partition) -> None:
    partition(tmp_path)
    other = partition(tmp_path, number=1)[-1].path
    other.rename(tmp_path / "raw" / "0" / "00000000000000000099.parquet")
    with pytest.raises(ArchiveDamagedError, match="not the segment that its name says"):
        last_segment(tmp_path, "raw", 0)


def test_temporary_and_foreign_files_are_no_segments(tmp_path: Path, partition: Partition) -> None:
    folder = partition(tmp_path)[-1].path.parent
    for name in (".00000000000000000099.parquet.a-1-2-3.tmp", "99.parquet", "x" * 20 + ".parquet"):
        (folder / name).write_bytes(b"no Parquet")
    assert len(list_segments(tmp_path, "raw", 0)) == 3


def days_archive(archive: Path, frame: Frame) -> None:
    previous = None
    for day in range(4):
        writer = SegmentWriter(archive, "raw", 0, day * 10, previous)
        writer.write(frame(day * 10, 10, at=NOON + timedelta(days=day)))
        previous = writer.close(day * 10 + 10).sha256


def test_segments_and_rows_of_a_range_of_days_are_found(tmp_path: Path, frame: Frame) -> None:
    days_archive(tmp_path, frame)
    days = (date(2026, 11, 22), date(2026, 11, 23))
    assert [s.first for s in list_segments(tmp_path, "raw", days=days)] == [10, 20]
    assert read_events(tmp_path, days=days).collect().height == 20
    assert [s.first for s in list_segments(tmp_path, "raw", days=(days[1], None))] == [20, 30]
    assert [s.first for s in list_segments(tmp_path, "raw", days=(None, days[0]))] == [0, 10]


def test_rows_outside_the_days_are_left_out_of_a_segment_that_has_both(
    tmp_path: Path, frame: Frame
) -> None:
    midnight = datetime(2026, 11, 21, 23, 59, 58, tzinfo=UTC)
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(frame(0, 5, at=midnight))
    writer.close(5)
    until = read_events(tmp_path, days=(None, date(2026, 11, 21))).collect()
    since = read_events(tmp_path, days=(date(2026, 11, 22), None)).collect()
    assert [until.height, since.height] == [2, 3]


def test_reading_asks_only_for_the_columns_wanted(tmp_path: Path, partition: Partition) -> None:
    partition(tmp_path)
    events = read_events(tmp_path).select(pl.col("log.offset").sum())
    assert "PROJECT 1/" in events.explain()
    assert events.collect().item() == sum(range(15))


def test_a_segment_of_a_newer_release_is_refused(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    segment = SegmentWriter(tmp_path, "raw", 0, 0, None)
    segment.write(frame(0, 1))
    segment.close(1)
    with pytest.raises(SchemaUnknownError, match="newer than this release"):
        read_events(tmp_path)


def test_every_older_schema_version_has_its_step() -> None:
    assert sorted(UP_CONVERSIONS) == list(range(1, SCHEMA_VERSION))


def test_events_of_the_first_version_have_no_repositories(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SCHEMA_VERSION", 1)
    segment = SegmentWriter(tmp_path, "raw", 0, 0, None)
    segment.write(frame(0, 2))
    segment.close(2)
    column = "trailwarden.pod_spec.repositories"
    old = pl.scan_parquet(tmp_path / "raw" / "**" / "*.parquet").drop(column)
    assert column not in old.collect_schema()
    assert UP_CONVERSIONS[1](old).collect_schema()[column] == pl.String
    assert read_events(tmp_path).collect()[column].to_list() == [None, None]


def test_events_of_the_second_version_have_no_state_of_pods(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SCHEMA_VERSION", 2)
    segment = SegmentWriter(tmp_path, "raw", 0, 0, None)
    segment.write(frame(0, 2))
    segment.close(2)
    columns = [name for name in DTYPES if name.startswith("trailwarden.pod.")] + [
        "trailwarden.rbac.rules",
        "trailwarden.pod_spec.cpu_request",
        "trailwarden.pod_spec.gpu_request",
        "trailwarden.object.owner_uid",
    ]
    old = pl.scan_parquet(tmp_path / "raw" / "**" / "*.parquet").drop(columns)
    new = UP_CONVERSIONS[2](old).collect_schema()
    assert len(columns) == 11
    assert {name: new[name] for name in columns} == {name: DTYPES[name] for name in columns}
    assert set(new) == set(DTYPES)
    assert read_events(tmp_path).select(columns).collect().null_count().row(0) == (2,) * 11


def test_a_version_without_a_step_is_refused(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SCHEMA_VERSION", 0)
    segment = SegmentWriter(tmp_path, "raw", 0, 0, None)
    segment.write(frame(0, 1))
    with pytest.raises(SchemaUnknownError, match="schema version 0"):
        scan_segments([segment.close(1)])
