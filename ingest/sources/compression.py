"""A file's path in, chunks of its decompressed bytes out, and what kept more from coming.

Separate from framing because a damaged file is not a damaged record: everything before the damage
is handed on, then the damage is reported as a value. Told by a file's first bytes, not its name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from backports import zstd
from isal import isal_zlib

from ingest.record import InputProblem
from ingest.sources.encoding import to_utf8
from ingest.sources.source import Source, open_input

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from typing import BinaryIO

CHUNK_BYTES: Final = 1 << 20
"""Most bytes of one chunk, whatever a few compressed bytes expand to."""

_MAGIC_BYTES: Final = 4
_DAMAGED: Final = (cast("type[Exception]", isal_zlib.error), zstd.ZstdError)


@dataclass(frozen=True, slots=True)
class _Codec:
    """A compression whose files are one or more members (gzip) or frames (zstd)."""

    name: str
    magics: tuple[bytes, ...]
    start: Callable[[], Any]
    expand: Callable[[Any, bytes], Iterator[bytes]]


def _expand_gzip(decoder: Any, data: bytes) -> Iterator[bytes]:
    """Expand one piece of a member; a bomb comes in many chunks, never as one."""
    while True:
        chunk = decoder.decompress(data, CHUNK_BYTES)
        yield chunk
        data = decoder.unconsumed_tail
        if decoder.eof or (not data and len(chunk) < CHUNK_BYTES):
            return


def _expand_zstd(decoder: Any, data: bytes) -> Iterator[bytes]:
    """Expand one piece of a frame, as above."""
    yield decoder.decompress(data, CHUNK_BYTES)
    while not (decoder.eof or decoder.needs_input):
        yield decoder.decompress(b"", CHUNK_BYTES)


_CODECS: Final = (
    # RFC 1952, section 2.3.1; 31 window bits stand for zlib's gzip mode.
    _Codec("gzip", (b"\x1f\x8b",), lambda: isal_zlib.decompressobj(wbits=31), _expand_gzip),
    # RFC 8878, sections 3.1.1 and 3.1.2 (skippable frames).
    _Codec(
        "zstd",
        (b"\x28\xb5\x2f\xfd", *(bytes([n]) + b"\x2a\x4d\x18" for n in range(0x50, 0x60))),
        zstd.ZstdDecompressor,
        _expand_zstd,
    ),
)


def open_stream(
    path: str,
    progress: Callable[[int], None] = lambda _: None,
    opener: Callable[[str], BinaryIO] = open_input,
) -> Iterator[bytes | InputProblem]:
    """Read a file, plain or compressed with gzip or zstd, as UTF-8.

    Parameters
        path: a file, or `-` for standard input.
        progress: told how many bytes of the file were read since it was last told.
        opener: opens the path for unbuffered reading of bytes.

    Returns
        chunks of at most ``CHUNK_BYTES`` (half as much again where UTF-16 was transcoded). What
        keeps the file from being read to its end is an ``InputProblem`` in its place, after all
        bytes before it: a missing file, an error of the disk, a truncated or damaged compression.
        Never raises for what is in the file. Memory: a few chunks; zstd's window (up to 128 MB,
        libzstd's default limit) if the file's writer asked for it.
    """
    try:
        with opener(path) as file:
            yield from to_utf8(_decompressed(Source(file, progress), path), path)
    except OSError as error:
        yield InputProblem(path, f"cannot be read: {error.strerror or error}")


def _decompressed(source: Source, path: str) -> Iterator[bytes | InputProblem]:
    """Choose by magic bytes; what has none is plain."""
    head = source.read_at_least(_MAGIC_BYTES)
    for codec in _CODECS:
        if head.startswith(codec.magics):
            yield from _members(source, codec, head, path)
            return
    while head:
        yield head
        head = source.read()


def _members(
    source: Source, codec: _Codec, data: bytes, path: str
) -> Iterator[bytes | InputProblem]:
    """Expand member after member; zero bytes after the last are padding, as gzip has it."""
    rest: bytes | None = data
    while rest:
        rest = yield from _member(source, codec, rest, path)
        if rest is None:
            return
        rest = _without_padding(source, rest)
        if rest and not rest.startswith(codec.magics):
            place = source.position - len(rest)
            yield InputProblem(
                path, f"holds something else after its {codec.name} data, from byte {place} on"
            )
            return


def _without_padding(source: Source, data: bytes) -> bytes:
    """Skip zero bytes, as far as they go, to the next magic bytes or what stands there."""
    while not (data := data.lstrip(b"\0")) and (more := source.read()):
        data = more
    return data + source.read_at_least(_MAGIC_BYTES - len(data)) if data else b""


def _member(
    source: Source, codec: _Codec, data: bytes, path: str
) -> Generator[bytes | InputProblem, None, bytes | None]:
    """Expand one member and return what was read beyond it, None where it did not end well."""
    start, given = source.position - len(data), 0
    decoder = codec.start()
    while data:
        try:
            for chunk in codec.expand(decoder, data):
                given += len(chunk)
                yield chunk
        except _DAMAGED as error:
            damaged = source.position - len(data)
            yield from _rescued(source, codec, start, damaged, given)
            yield InputProblem(path, f"damaged {codec.name} data from byte {damaged} on: {error}")
            return None
        if decoder.eof:
            return bytes(decoder.unused_data)
        data = source.read()
    message = f"ends at byte {source.position} within its {codec.name} data: it was cut off"
    yield InputProblem(path, message)
    return None


def _rescued(
    source: Source, codec: _Codec, start: int, damaged: int, given: int
) -> Iterator[bytes]:
    """Expand a member once more, its damaged piece byte by byte, and yield what was not given yet.

    Needed because a decoder that fails throws away what it had expanded in that call. A pipe
    cannot be read twice: there the last piece is lost.
    """
    decoder = codec.start()
    held = bytearray()
    try:
        for piece in source.again(start, damaged):
            for chunk in codec.expand(decoder, piece):
                held += chunk[given:]
                given = max(0, given - len(chunk))
            if len(held) >= CHUNK_BYTES:
                yield bytes(held)
                held.clear()
    except _DAMAGED:
        pass
    yield bytes(held)
