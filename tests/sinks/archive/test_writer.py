from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from ingest.schema import DTYPES, SCHEMA_VERSION
from sinks.archive import Counts, SegmentTakenError, SegmentWriter, last_segment, read_events
from sinks.event_table import ROW_GROUP, EventTable
from tests.sinks.archive.conftest import NOON, Frame, Partition

CLUSTER = "orchestrator.cluster.name"


def test_a_segment_is_named_by_its_first_offset_and_says_what_it_holds(
    tmp_path: Path, frame: Frame
) -> None:
    writer = SegmentWriter(tmp_path, "raw", 7, 1_000, "a" * 64)
    writer.write(frame(1_000, 3))
    writer.count("blue", NOON, Counts(records=4, events=3, repeats=1))
    segment = writer.close(1_004)
    assert segment.path == tmp_path / "raw" / "7" / "00000000000000001000.parquet"
    assert (segment.first, segment.next, segment.rows) == (1_000, 1_004, 3)
    assert segment.previous_sha256 == "a" * 64
    assert segment.schema_version == SCHEMA_VERSION
    assert segment.first_day == segment.last_day == date(2026, 11, 21)
    assert segment.counts == {("blue", NOON): Counts(records=4, events=3, repeats=1)}


def test_the_footer_gives_back_what_close_returned_and_the_hash_is_the_files(
    tmp_path: Path, partition: Partition
) -> None:
    written = partition(tmp_path)[-1]
    assert written.sha256 == hashlib.sha256(written.path.read_bytes()).hexdigest()
    assert last_segment(tmp_path, "raw", 0) == written


def test_each_segment_holds_the_hash_of_the_one_before(
    tmp_path: Path, partition: Partition
) -> None:
    first, second, third = partition(tmp_path)
    assert first.previous_sha256 is None
    assert [second.previous_sha256, third.previous_sha256] == [first.sha256, second.sha256]


def test_counts_of_an_hour_add_up_whatever_the_zone(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    one = Counts(1, 1, 1, 1, 1, 1, 1)
    writer.count("blue", NOON + timedelta(minutes=59), one)
    writer.count("blue", NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), one)
    writer.count("blue", NOON + timedelta(hours=1), one)
    counts = writer.close(3).counts
    assert counts == {
        ("blue", NOON): Counts(2, 2, 2, 2, 2, 2, 2),
        ("blue", NOON + timedelta(hours=1)): one,
    }


def test_a_segment_without_events_is_written_for_its_counts(tmp_path: Path) -> None:
    writer = SegmentWriter(tmp_path, "raw", 0, 5, None)
    writer.count("blue", NOON, Counts(records=2, canaries=2))
    segment = writer.close(7)
    assert (segment.rows, segment.first_day) == (0, None)
    assert last_segment(tmp_path, "raw", 0) == segment
    assert read_events(tmp_path).collect().height == 0


def test_rows_come_back_as_they_went_in(tmp_path: Path, frame: Frame) -> None:
    events = frame(0, 50)
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(events[:20])
    writer.write(events[20:])
    writer.close(50)
    back = read_events(tmp_path).collect()
    assert dict(back.schema) == DTYPES
    assert back.equals(events)


def test_rows_of_a_row_group_are_sorted_by_cluster_and_keep_the_logs_order(
    tmp_path: Path, frame: Frame
) -> None:
    events = frame(0, 9, clusters=("red", "blue", "green"))
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(events)
    writer.close(9)
    back = read_events(tmp_path).select(CLUSTER, "log.offset").collect()
    assert back[CLUSTER].to_list() == ["blue"] * 3 + ["green"] * 3 + ["red"] * 3
    assert back["log.offset"].to_list() == [1, 4, 7, 2, 5, 8, 0, 3, 6]


def test_row_groups_are_streamed_and_compressed(tmp_path: Path, frame: Frame) -> None:
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    half = frame(0, ROW_GROUP // 2)
    writer.write(half)
    assert writer.size_bytes < 1_000  # the magic at most: nothing of the rows is on disk yet
    writer.write(half)
    assert writer.size_bytes > 10_000
    writer.write(half)
    assert writer.rows == 30_000
    metadata = pq.read_metadata(writer.close(30_000).path)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [
        20_000,
        10_000,
    ]
    assert metadata.row_group(0).column(1).compression == "ZSTD"


def test_large_bodies_end_a_row_group_early(tmp_path: Path, frame: Frame) -> None:
    body = "x" * (1 << 20)
    events = frame(0, 20).with_columns(
        pl.lit(body).alias("kubernetes.audit.requestObject"),
    )
    with (tmp_path / "table").open("wb") as stream:
        table = EventTable(stream)
        for _ in range(5):
            table.write(events)
        assert stream.tell() > 0
        table.discard()


def test_the_day_of_an_event_without_a_time_is_that_of_its_receipt(
    tmp_path: Path, frame: Frame
) -> None:
    events = frame(0, 2).with_columns(
        pl.Series("@timestamp", [NOON, None], DTYPES["@timestamp"]),
        pl.lit(datetime(2026, 11, 23, 1, tzinfo=UTC))
        .cast(DTYPES["event.created"])
        .alias("event.created"),
    )
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(events)
    segment = writer.close(2)
    assert (segment.first_day, segment.last_day) == (date(2026, 11, 21), date(2026, 11, 23))


def test_whoever_comes_second_gets_the_segment_that_is_there(tmp_path: Path, frame: Frame) -> None:
    zombie = SegmentWriter(tmp_path, "raw", 0, 0, None)
    zombie.write(frame(0, 9))
    winner = SegmentWriter(tmp_path, "raw", 0, 0, None)
    winner.write(frame(0, 4))
    won = winner.close(4)
    before = won.path.read_bytes()
    with pytest.raises(SegmentTakenError) as taken:
        zombie.close(9)
    assert taken.value.existing == won
    assert won.path.read_bytes() == before
    assert list(won.path.parent.iterdir()) == [won.path]


def test_nothing_is_left_of_what_was_discarded(tmp_path: Path, frame: Frame) -> None:
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(frame(0, ROW_GROUP))
    folder = tmp_path / "raw" / "0"
    assert len(list(folder.iterdir())) == 1
    writer.discard()
    writer.discard()
    assert list(folder.iterdir()) == []
    assert last_segment(tmp_path, "raw", 0) is None


def test_a_segment_must_reach_behind_its_first_offset(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="next offset 5"):
        SegmentWriter(tmp_path, "raw", 0, 5, None).close(5)


def test_a_full_disk_leaves_no_segment_and_no_rest(small_disk: Path, frame: Frame) -> None:
    writer = SegmentWriter(small_disk, "raw", 0, 0, None)
    events = frame(0, 10 * ROW_GROUP)
    with pytest.raises(OSError, match="No space") as refused:
        writer.write(events)
    assert refused.value.errno == errno.ENOSPC
    writer.discard()
    assert list((small_disk / "raw" / "0").iterdir()) == []
    small = SegmentWriter(small_disk, "raw", 0, 0, None)
    small.write(frame(0, 5))
    assert small.close(5).rows == 5


_PROGRAM = """
import sys
from pathlib import Path
from sinks.archive import Counts, SegmentWriter
from tests.sinks.archive.conftest import frame_of
writer = SegmentWriter(Path(sys.argv[1]), "raw", 0, 0, None)
writer.write(frame_of(0, 5))
print("writing", flush=True)
writer.close(5)
"""


def traced(root: Path, folder: Path, *inject: str) -> subprocess.CompletedProcess[str]:
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("needs strace")
    rules = [part for rule in inject for part in ("-e", f"inject={rule}")]
    return subprocess.run(
        [
            strace,
            "-f",
            "-qq",
            "-o",
            os.devnull,
            *rules,
            sys.executable,
            "-c",
            _PROGRAM,
            str(folder),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
        timeout=60,
    )


@pytest.mark.parametrize("fault", ["?link,?linkat:error=EIO", "fsync:error=EIO"])
def test_a_broken_disk_is_an_error_and_leaves_no_segment(
    root: Path, tmp_path: Path, fault: str
) -> None:
    done = traced(root, tmp_path, fault)
    assert done.returncode == 1
    assert "Input/output error" in done.stderr
    assert last_segment(tmp_path, "raw", 0) is None


def test_a_kill_before_the_link_leaves_no_segment_and_its_rest_is_swept(
    root: Path, tmp_path: Path, frame: Frame
) -> None:
    done = traced(root, tmp_path, "?link,?linkat:signal=KILL:when=1")
    assert done.returncode in {-9, 137}
    assert last_segment(tmp_path, "raw", 0) is None
    folder = tmp_path / "raw" / "0"
    assert len(list(folder.iterdir())) == 1
    writer = SegmentWriter(tmp_path, "raw", 0, 0, None)
    writer.write(frame(0, 5))
    segment = writer.close(5)
    assert list(folder.iterdir()) == [segment.path]


def test_a_file_system_without_hard_links_is_refused_with_what_to_do(
    root: Path, tmp_path: Path
) -> None:
    done = traced(root, tmp_path, "?link,?linkat:error=EPERM")
    assert "StoreUnsuitableError" in done.stderr
    assert "has no hard links" in done.stderr
    assert last_segment(tmp_path, "raw", 0) is None


def test_counts_balance_only_when_every_item_became_something() -> None:
    counts = Counts(records=10, extra=2, events=8, late=3, repeats=2, quarantined=1, canaries=1)
    assert counts.is_balanced
    assert not replace(counts, quarantined=0).is_balanced
