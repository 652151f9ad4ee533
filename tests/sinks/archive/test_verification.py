from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sinks.archive import Fault, SegmentWriter, verify
from tests.sinks.archive.conftest import Frame, Partition

EDITS = 200
CLEAN = 50
SEED = 20261121


def segment_files(archive: Path) -> list[Path]:
    return sorted(archive.rglob("*.parquet"))


def flip(archive: Path, random_: random.Random) -> None:
    """Change one bit."""
    path = random_.choice(segment_files(archive))
    data = bytearray(path.read_bytes())
    data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
    path.write_bytes(data)


def cut(archive: Path, random_: random.Random) -> None:
    """Cut a file anywhere."""
    path = random_.choice(segment_files(archive))
    path.write_bytes(path.read_bytes()[: random_.randrange(path.stat().st_size)])


def swap(archive: Path, random_: random.Random) -> None:
    """Exchange two files, of one partition or of two."""
    one, two = random_.sample(segment_files(archive), 2)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def drop(archive: Path, random_: random.Random) -> None:
    """Remove a segment that others follow."""
    folder = random_.choice(sorted(archive.glob("raw/*")))
    random_.choice(segment_files(folder)[:-1]).unlink()


def append(archive: Path, random_: random.Random) -> None:
    """Add bytes to a file, or a file to a partition."""
    path = random_.choice(segment_files(archive))
    if random_.random() < 0.5:
        path.write_bytes(path.read_bytes() + random_.randbytes(random_.randrange(1, 99)))
    else:
        path.with_name(f"{10_000:020}.parquet").write_bytes(path.read_bytes())


def reorder(archive: Path, random_: random.Random) -> None:
    """Rename a segment so that it stands elsewhere in its partition."""
    path = random_.choice(segment_files(archive))
    path.rename(path.with_name(f"{int(path.stem) + random_.choice((1, 7, 500)):020}.parquet"))


KINDS = (flip, cut, swap, drop, append, reorder)


@pytest.fixture
def archive(tmp_path: Path, partition: Partition) -> Path:
    folder = tmp_path / "archive"
    for number in range(3):
        partition(folder, number=number, segments=4, rows=3)
    return folder


def test_every_random_edit_is_found(archive: Path, tmp_path: Path) -> None:
    random_ = random.Random(SEED)
    missed: list[str] = []
    for number in range(EDITS):
        edited = tmp_path / "edited"
        shutil.copytree(archive, edited)
        edit: Callable[[Path, random.Random], None] = KINDS[number % len(KINDS)]
        edit(edited, random_)
        if not verify(edited):
            missed.append(f"{edit.__name__}, edit {number} of seed {SEED}")
        shutil.rmtree(edited)
    assert missed == []


def test_no_clean_archive_is_accused(tmp_path: Path, frame: Frame) -> None:
    random_ = random.Random(SEED)
    accused = []
    for number in range(CLEAN):
        archive = tmp_path / str(number)
        for partition in range(random_.randrange(1, 3)):
            offset, previous = random_.randrange(1_000), None
            for _ in range(random_.randrange(1, 4)):
                writer = SegmentWriter(archive, "raw", partition, offset, previous)
                rows = random_.randrange(4)
                writer.write(frame(offset, rows))
                offset += rows + 1
                previous = writer.close(offset).sha256
        accused += verify(archive)
    assert accused == []


def test_each_kind_of_fault_is_called_by_its_name(
    tmp_path: Path, partition: Partition, frame: Frame
) -> None:
    faults = {}
    for fault in Fault:
        archive = tmp_path / fault
        first, second, third = partition(archive)
        if fault is Fault.DAMAGED:
            second.path.write_bytes(b"PAR1")
        elif fault is Fault.EDITED:
            data = bytearray(third.path.read_bytes())
            data[20] ^= 1
            third.path.write_bytes(data)
        elif fault is Fault.MISPLACED:
            third.path.rename(third.path.with_name(f"{11:020}.parquet"))
        elif fault is Fault.STRAY:
            (first.path.parent / "notes.txt").write_text("hello")
        elif fault is Fault.GAP:
            second.path.unlink()
        elif fault is Fault.OVERLAP:
            writer = SegmentWriter(archive, "raw", 0, 12, third.sha256)
            writer.write(frame(12, 5))
            writer.close(17)
        else:
            writer = SegmentWriter(archive, "raw", 0, 15, "0" * 64)
            writer.close(17)
        faults[fault] = {problem.fault for problem in verify(archive)}
    assert faults == {fault: {fault} for fault in Fault if fault is not Fault.GAP} | {
        Fault.GAP: {Fault.GAP, Fault.CHAIN}
    }


def test_a_live_workers_temporary_file_is_no_fault(archive: Path, frame: Frame) -> None:
    writer = SegmentWriter(archive, "raw", 0, 12, None)
    writer.write(frame(0, 5))
    assert verify(archive) == []
    writer.discard()


def test_a_resealed_edit_in_the_middle_breaks_the_chain(
    tmp_path: Path, partition: Partition, frame: Frame
) -> None:
    first, second, _ = partition(tmp_path)
    second.path.unlink()
    forged = SegmentWriter(tmp_path, "raw", 0, second.first, first.sha256)
    forged.write(frame(500, 5))
    forged.close(second.next)
    assert [problem.fault for problem in verify(tmp_path)] == [Fault.CHAIN]


def test_a_problem_is_one_line_that_names_the_file(tmp_path: Path, partition: Partition) -> None:
    second = partition(tmp_path)[1]
    second.path.unlink()
    lines = [str(problem) for problem in verify(tmp_path)]
    assert lines[0].endswith("10.parquet: gap: offsets 5 to 9 are in no segment")
    assert all("\n" not in line for line in lines)
