"""Row groups come in log order with their times, and give the columns that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from ingest.schema import SCHEMA_VERSION
from sinks.archive import SegmentWriter
from sinks.archive import writer as writing
from sinks.archive.row_groups import read_rows, row_groups
from sinks.event_table import ROW_GROUP
from tests.sinks.archive.conftest import NOON, Frame, Partition

COLUMNS = ("log.offset", "event.action")


def write(folder: Path, segments: Sequence[Sequence[pl.DataFrame]]) -> list[Path]:
    previous, first, paths = None, 0, []
    for frames in segments:
        segment = SegmentWriter(folder, "raw", 0, first, previous)
        for events in frames:
            segment.write(events)
            first += events.height
        done = segment.close(first)
        previous = done.sha256
        paths.append(done.path)
    return paths


def test_row_groups_come_in_log_order_with_their_times_and_clusters(
    tmp_path: Path, frame: Frame
) -> None:
    rows = ROW_GROUP
    later = NOON + timedelta(days=1)
    write(
        tmp_path,
        [[frame(0, rows), frame(rows, 5, ("blue", "green"))], [frame(rows + 5, 3, at=later)]],
    )
    listed = row_groups(tmp_path, "raw", 0)
    found = listed.groups
    assert not listed.unread
    assert not listed.earlier
    assert [(one.first_row, one.rows) for one in found] == [(0, rows), (rows, 5), (0, 3)]
    assert found[0].times == (NOON, NOON + timedelta(seconds=rows - 1))
    assert found[2].times == (later, later + timedelta(seconds=2))
    assert [one.clusters for one in found] == [("blue", "blue"), ("blue", "green"), ("blue",) * 2]
    assert all(one.size_bytes > 0 for one in found)


def test_any_run_of_row_groups_gives_its_rows_and_columns_alone(
    tmp_path: Path, frame: Frame
) -> None:
    rows = ROW_GROUP
    frames = [[frame(0, rows), frame(rows, rows), frame(2 * rows, 4)], [frame(2 * rows + 4, 2)]]
    write(tmp_path, frames)
    found = row_groups(tmp_path, "raw", 0).groups
    assert len(found) == 4
    offsets = [
        range(rows),
        range(rows, 2 * rows),
        range(2 * rows, 2 * rows + 4),
        range(2 * rows + 4, 2 * rows + 6),
    ]
    for picked in ([0, 1, 2, 3], [1, 2], [0, 2, 3], [3], []):
        events, unread = read_rows([found[number] for number in picked], COLUMNS)
        assert not unread
        assert events.columns == list(COLUMNS)
        assert events["log.offset"].to_list() == [n for one in picked for n in offsets[one]]
    assert read_rows([], COLUMNS)[0].schema == read_rows(found, COLUMNS)[0].schema


def test_segments_of_earlier_days_are_left_out(tmp_path: Path, frame: Frame) -> None:
    write(tmp_path, [[frame(0, 3)], [frame(3, 3, at=NOON + timedelta(days=1))], [frame(6, 3)]])
    listed = row_groups(tmp_path, "raw", 0, (NOON + timedelta(days=1)).date())
    assert [one.segment.first for one in listed.groups] == [3]
    assert listed.earlier


def test_a_segment_of_an_older_schema_gives_the_columns_of_today(
    tmp_path: Path, frame: Frame, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(writing, "SCHEMA_VERSION", SCHEMA_VERSION - 1)
        write(tmp_path, [[frame(0, 3)]])
    found = row_groups(tmp_path, "raw", 0).groups
    assert found[0].segment.schema_version == SCHEMA_VERSION - 1
    columns = ("log.offset", "trailwarden.pod.uid")
    events, unread = read_rows(found, columns)
    assert not unread
    assert events["log.offset"].to_list() == [0, 1, 2]
    assert events["trailwarden.pod.uid"].null_count() == 3


def test_what_cannot_be_read_is_named_and_the_rest_comes(
    tmp_path: Path, partition: Partition
) -> None:
    broken, newer, whole = (one.path for one in partition(tmp_path))
    found = row_groups(tmp_path, "raw", 0).groups
    broken.write_bytes(b"PAR1")
    newer.unlink()
    events, unread = read_rows(found, COLUMNS)
    assert events["log.offset"].to_list() == list(range(10, 15))
    assert [one.path for one in unread] == [broken, newer]
    listed = row_groups(tmp_path, "raw", 0)
    assert [one.segment.path for one in listed.groups] == [whole]
    assert [one.path for one in listed.unread] == [broken]
    assert "damaged" in listed.unread[0].detail
