"""Files are opened, cut into lines and unpacked, whatever they are; the checkpoint is whole."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path

import pytest

from ingest.collectors.checkpoint_file import BadCheckpointError, CheckpointFile
from ingest.collectors.tail_checkpoint import Place
from ingest.collectors.tail_lines import CHUNK_BYTES, LINE_BYTES, take, take_rest
from ingest.collectors.tail_look import Watch
from ingest.collectors.tail_plan import HEAD_BYTES, FileId
from ingest.collectors.tail_reader import DamagedError, Reader, open_reader, read_head

TEXT = b"".join(
    b"%06d %s\n" % (n, random.Random(n).randbytes(50).hex().encode()) for n in range(9000)
)
PLACE = Place(path="a", device=1, inode=2, offset=3, head_bytes=4, head_sha256="ab", finished=5)


def reader_of(path: Path, content: bytes, *, packed: bool = False) -> Reader:
    path.write_bytes(content)
    state = path.stat()
    reader = open_reader(str(path), FileId(state.st_dev, state.st_ino), packed=packed)
    assert reader is not None
    return reader


def read_all(reader: Reader, size: int = 70_000) -> bytes:
    found = b""
    while data := reader.read(len(found), size):
        found += data
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_any_offset_can_be_read(tmp_path: Path, packed: bool) -> None:
    reader = reader_of(tmp_path / "f", gzip.compress(TEXT) if packed else TEXT, packed=packed)
    assert read_all(reader) == TEXT
    assert reader.ended == packed
    for offset in (0, 300_000, 7, len(TEXT) - 3, len(TEXT), 1):
        assert reader.read(offset, 1000) == TEXT[offset : offset + 1000]
    assert reader.stat().st_size > 0
    reader.close()


def test_members_follow_each_other_and_padding_ends_them(tmp_path: Path) -> None:
    members = b"".join(gzip.compress(TEXT[i : i + 100_000]) for i in range(0, len(TEXT), 100_000))
    for more in (b"", b"\0" * 9):
        reader = reader_of(tmp_path / "f", members + more, packed=True)
        assert read_all(reader) == TEXT
        assert reader.ended
        reader.close()


def test_a_packed_file_that_grows_is_read_as_it_grows(tmp_path: Path) -> None:
    packed, path = gzip.compress(TEXT), tmp_path / "f"
    reader = reader_of(path, packed[:5], packed=True)
    assert reader.read(0, 10) == b""
    found = b""
    for place in range(5, len(packed), 9_000):
        with path.open("ab") as file:
            file.write(packed[place : place + 9_000])
        found += reader.read(len(found), 1 << 20)
    assert found == TEXT
    assert reader.ended
    reader.close()


@pytest.mark.parametrize("place", [20, 5_000, 200_000])
def test_everything_before_the_damage_is_given(tmp_path: Path, place: int) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[place : place + 40] = b"\xff" * 40
    reader = reader_of(tmp_path / "f", bytes(packed), packed=True)
    found: list[bytes] = []
    with pytest.raises(DamagedError, match="damaged gzip data"):
        take_until_it_raises(reader, found)
    reader.close()
    given = b"".join(found)
    right = len(os.path.commonprefix([given, TEXT]))  # noqa: RUF071 - bytes
    assert right > 1.6 * place or place == 20  # 1.76 bytes of this text in one packed byte


def take_until_it_raises(reader: Reader, found: list[bytes]) -> None:
    for _ in range(1000):
        found.append(reader.read(sum(map(len, found)), 70_000))


def test_a_path_that_leads_elsewhere_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    assert open_reader(str(tmp_path / "f"), FileId(1, 1), packed=False) is None


def test_heads_are_those_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(TEXT)
    (tmp_path / "packed").write_bytes(gzip.compress(TEXT))
    (tmp_path / "damaged").write_bytes(b"\x1f\x8b" + b"\xff" * 50)
    assert read_head(str(tmp_path / "plain"), 100) == (TEXT[:100], False)
    assert read_head(str(tmp_path / "packed"), 100) == (TEXT[:100], True)
    assert read_head(str(tmp_path / "damaged"), 100) == (b"", True)


@pytest.mark.parametrize("packed", [False, True])
def test_lines_of_any_length_come_whole(tmp_path: Path, packed: bool) -> None:
    lengths = [0, 1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES, 0, 5]
    lines = [bytes([65 + n]) * length for n, length in enumerate(lengths)]
    content = b"\n".join(lines) + b"\nhalf"
    reader = reader_of(tmp_path / "f", gzip.compress(content) if packed else content, packed=packed)
    found: list[bytes] = []
    offset = 0
    while not (piece := take(reader, offset)).at_end:
        found += piece.lines
        offset = piece.stop
    assert found == lines
    assert (piece.stop, piece.rest) == (len(content) - 4, 4)
    assert take_rest(reader, piece.stop).lines == [b"half"]
    reader.close()


def test_a_giant_line_is_found_without_being_held(tmp_path: Path) -> None:
    giant = b"g" * (LINE_BYTES + 5)
    reader = reader_of(tmp_path / "f", b"a\n" + giant + b"\nb\n" + giant)
    assert take(reader, 0).lines == [b"a"]
    piece = take(reader, 2)
    assert (piece.giant, piece.lines, piece.start, piece.stop) == (True, [], 2, len(giant) + 3)
    assert take(reader, piece.stop).lines == [b"b"]
    half = take(reader, piece.stop + 2)
    assert (half.at_end, half.rest) == (True, len(giant))
    assert take_rest(reader, half.start).giant
    reader.close()


def test_zero_bytes_before_the_first_line_are_passed(tmp_path: Path) -> None:
    reader = reader_of(tmp_path / "f", b"\0" * (CHUNK_BYTES + 9) + b"a\n\0b\n")
    piece = take(reader, 0)
    assert (piece.start, piece.lines) == (CHUNK_BYTES + 9, [b"a", b"\0b"])
    reader.close()


def test_a_look_sees_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "b.log").write_bytes(b"b\n")
    (tmp_path / "a.log").write_bytes(b"a\n")
    os.utime(tmp_path / "b.log", (1, 1))
    (tmp_path / "again.log").symlink_to(tmp_path / "a.log")
    (tmp_path / "broken.log").symlink_to(tmp_path / "none")
    (tmp_path / "folder.log").mkdir()
    os.mkfifo(tmp_path / "pipe.log")
    watch = Watch([str(tmp_path / "*.log"), str(tmp_path / "a*")])
    look = watch.look()
    assert [Path(seen.path).name for seen in look.seen] == ["b.log", "a.log"]
    assert [seen.head for seen in look.seen] == [b"b\n", b"a\n"]
    assert look.unreadable == {}


def test_a_look_reads_heads_again_when_files_change(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    watch = Watch([str(path)])
    assert watch.look().seen[0].head == b"one\n"
    path.write_bytes(b"other\n" + bytes(HEAD_BYTES))
    assert watch.look().seen[0].head == (b"other\n" + bytes(HEAD_BYTES))[:HEAD_BYTES]


def test_siblings_of_a_plain_path_are_seen_but_not_wanted(tmp_path: Path) -> None:
    for name in ("audit.log", "audit.log.1", "audit-2026.log.gz", "other.log"):
        (tmp_path / name).write_bytes(b"x\n")
    look = Watch([str(tmp_path / "audit.log")]).look()
    assert {(Path(seen.path).name, seen.wanted) for seen in look.seen} == {
        ("audit.log", True),
        ("audit.log.1", False),
        ("audit-2026.log.gz", False),
    }


def test_a_checkpoint_is_read_as_it_was_saved(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "tail.json"
    checkpoint = CheckpointFile(path, Place)
    assert checkpoint.load() == []
    checkpoint.save([PLACE])
    checkpoint.close()
    checkpoint = CheckpointFile(path, Place)
    assert checkpoint.load() == [PLACE]
    assert path.stat().st_mode & 0o077 == 0
    checkpoint.close()


def test_only_one_collector_uses_a_checkpoint(tmp_path: Path) -> None:
    first = CheckpointFile(tmp_path / "tail.json", Place)
    with pytest.raises(BadCheckpointError, match="another collector uses it"):
        CheckpointFile(tmp_path / "tail.json", Place)
    first.close()
    CheckpointFile(tmp_path / "tail.json", Place).close()


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "delete it"), (b"{", "delete it"), (b"\xff", "delete it"), (b'{"files":[]}', "version"),
     (b'{"version":2,"files":[]}', "version 2 is not 1")],
)  # fmt: skip
def test_a_checkpoint_that_cannot_be_read_stops_the_start(
    tmp_path: Path, content: bytes, why: str
) -> None:
    (tmp_path / "tail.json").write_bytes(content)
    checkpoint = CheckpointFile(tmp_path / "tail.json", Place)
    with pytest.raises(BadCheckpointError, match=why):
        checkpoint.load()
    checkpoint.close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadCheckpointError, match=r"tail\.json: Not a directory|File exists"):
        CheckpointFile(tmp_path / "file" / "tail.json", Place)
