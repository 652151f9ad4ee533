from __future__ import annotations

import gzip
import io
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from backports import zstd

from ingest.record import InputProblem
from ingest.sources.compression import CHUNK_BYTES, open_stream

TEXT = b"".join(b'{"n":%d,"x":"%x"}\n' % (n, n * 7919) for n in range(30_000))

CHECKED: dict[int, int] = {
    zstd.CompressionParameter.checksum_flag: 1
}  # without it, damage may go unnoticed


def checked(text: bytes) -> bytes:
    return zstd.compress(text, options=CHECKED)


Read = Callable[..., tuple[bytes, list[str]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return what writes bytes to a file and reads them back through the stream."""

    def write_and_read(content: bytes) -> tuple[bytes, list[str]]:
        path = tmp_path / "named-after-nothing"
        path.write_bytes(content)
        return gather(str(path))

    return write_and_read


def gather(path: str, opener: Callable[[str], BinaryIO] | None = None) -> tuple[bytes, list[str]]:
    parts, problems = [], []
    stream = open_stream(path, opener=opener) if opener else open_stream(path)
    for chunk in stream:
        if isinstance(chunk, InputProblem):
            assert chunk.path == path
            problems.append(chunk.message)
        else:
            assert len(chunk) <= CHUNK_BYTES
            parts.append(chunk)
    return b"".join(parts), problems


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(TEXT, id="plain"),
        pytest.param(gzip.compress(TEXT), id="gzip"),
        pytest.param(gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]), id="members"),
        pytest.param(gzip.compress(TEXT[:99]) + gzip.compress(b"") * 3 + gzip.compress(TEXT[99:]),
                     id="empty members"),
        pytest.param(gzip.compress(TEXT) + bytes(1_000_000), id="padding"),
        pytest.param(gzip.compress(TEXT[:9]) + bytes(5) + gzip.compress(TEXT[9:]), id="between"),
        pytest.param(zstd.compress(TEXT), id="zstd"),
        pytest.param(zstd.compress(TEXT[:99]) + zstd.compress(TEXT[99:]), id="frames"),
        pytest.param(b"\x50\x2a\x4d\x18\3\0\0\0abc" + zstd.compress(TEXT), id="skippable frame"),
    ],
)  # fmt: skip
def test_what_was_written_is_read(read: Read, content: bytes) -> None:
    assert read(content) == (TEXT, [])


@pytest.mark.parametrize("content", [b"", b"\x1f", b"\x1f\x8b"[:1], b"{}", b"\x28\xb5"])
def test_a_file_shorter_than_any_magic_is_plain(read: Read, content: bytes) -> None:
    assert read(content) == (content, [])


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_truncated_file_gives_what_came_before(
    read: Read, compress: Callable[[bytes], bytes]
) -> None:
    content = compress(TEXT)
    text, problems = read(content[: len(content) * 3 // 4])
    assert TEXT.startswith(text)
    assert len(text) > len(TEXT) // 2
    assert len(problems) == 1
    assert "cut off" in problems[0]


def test_a_gzip_file_cut_within_its_trailer_gives_all_of_its_text(read: Read) -> None:
    text, problems = read(gzip.compress(TEXT)[:-3])
    assert text == TEXT
    assert len(problems) == 1


@pytest.mark.parametrize("size", [10, len(TEXT)])
def test_a_wrong_checksum_gives_all_of_the_text(read: Read, size: int) -> None:
    text = TEXT[:size]
    content = bytearray(gzip.compress(text))
    content[-6] ^= 1
    found, problems = read(bytes(content))
    assert found == text
    assert len(problems) == 1
    assert "damaged gzip data" in problems[0]


def test_a_wrong_zstd_checksum_gives_all_of_the_text(read: Read) -> None:
    content = bytearray(checked(TEXT))
    content[-1] ^= 1
    text, problems = read(bytes(content))
    assert text == TEXT
    assert len(problems) == 1
    assert "damaged zstd data" in problems[0]


@pytest.mark.parametrize("compress", [gzip.compress, checked])
@pytest.mark.parametrize("seed", range(5))
def test_damage_anywhere_gives_what_came_before_and_never_raises(
    read: Read, compress: Callable[[bytes], bytes], seed: int
) -> None:
    content = bytearray(compress(TEXT))
    place = random.Random(seed).randrange(len(content) // 2, len(content))
    content[place : place + 4] = b"\xff\x00\xff\x00"
    text, problems = read(bytes(content))
    assert text[: len(TEXT) // 4] == TEXT[: len(TEXT) // 4]
    assert len(problems) == 1


def test_damage_in_a_second_member_keeps_the_first(read: Read) -> None:
    second = bytearray(gzip.compress(TEXT))
    second[-6] ^= 1
    text, problems = read(gzip.compress(TEXT) + bytes(second) + gzip.compress(TEXT))
    assert text == TEXT + TEXT
    assert len(problems) == 1


@pytest.mark.parametrize(("name", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_something_else_after_the_end_is_reported(
    read: Read, name: str, compress: Callable[[bytes], bytes]
) -> None:
    content = compress(TEXT)
    text, problems = read(content + b"\0\0hello, this is not compressed")
    assert text == TEXT
    assert problems == [
        f"holds something else after its {name} data, from byte {len(content) + 2} on"
    ]


@pytest.mark.parametrize("compress", [gzip.compress, zstd.compress])
def test_a_bomb_comes_in_small_chunks(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(compress(bytes(100 << 20)))
    tracemalloc.start()
    size = sum(len(chunk) for chunk in open_stream(str(path)) if isinstance(chunk, bytes))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 100 << 20
    assert peak < 8 << 20


class Pipe(io.RawIOBase):
    """A pipe that gives a few bytes at a time, and at last an error."""

    def __init__(self, content: bytes, *, error: bool) -> None:
        self._rest = content
        self._error = error

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:  # noqa: ARG002 - the signature of a file
        part, self._rest = self._rest[:3], self._rest[3:]
        if not part and self._error:
            raise OSError(5, "Input/output error")
        return part


@pytest.mark.parametrize("compress", [bytes, gzip.compress, zstd.compress])
def test_a_pipe_may_give_few_bytes_at_a_time(compress: Callable[[bytes], bytes]) -> None:
    content = compress(TEXT[:5_000])
    assert gather("-", lambda _: Pipe(content, error=False)) == (TEXT[:5_000], [])  # type: ignore[arg-type,return-value]


def test_an_error_of_the_disk_gives_what_came_before() -> None:
    found = gather("a.log", lambda _: Pipe(b'{"a":1}', error=True))  # type: ignore[arg-type,return-value]
    assert found == (b'{"a":1}', ["cannot be read: Input/output error"])


def test_a_missing_file_and_a_folder_are_problems(tmp_path: Path) -> None:
    missing = gather(str(tmp_path / "gone"))
    assert missing == (b"", ["cannot be read: No such file or directory"])
    assert gather(str(tmp_path)) == (b"", ["cannot be read: Is a directory"])


def test_progress_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT))
    told: list[int] = []
    list(open_stream(str(path), told.append))
    assert sum(told) == path.stat().st_size


@pytest.mark.parametrize("size", [3, 1 << 20])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("{}", "utf-8-sig"),
        ('{"a":"é\U0001f600"}\n', "utf-8-sig"),
        ('{"a":"é\U0001f600"}\r\n', "utf-16"),
        ('{"a":"é\U0001f600"}\r\n' * 9, "utf-16-be"),
        ("", "utf-16"),
    ],
)
def test_byte_order_marks_are_dropped_and_utf_16_is_transcoded(
    text: str, encoding: str, size: int
) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = gzip.compress((mark + text).encode(encoding))
    found = gather("-", lambda _: Pipe(content, error=False) if size == 3 else io.BytesIO(content))  # type: ignore[arg-type,return-value]
    assert found == (text.encode(), [])


def test_half_a_character_of_utf_16_at_the_end_is_a_problem(read: Read) -> None:
    text, problems = read("{}".encode("utf-16") + b"{")
    assert text == b"{}"
    assert problems == ["ends within a character of its utf-16-le text"]


def test_a_lone_surrogate_costs_nobody_else(read: Read) -> None:
    text, problems = read('a\ud800b\n{"c":1}'.encode("utf-16", "surrogatepass"))
    assert text == b'a\xed\xa0\x80b\n{"c":1}'
    assert problems == []
