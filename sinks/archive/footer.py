"""A segment's facts become footer metadata and come back, and a seal covers the whole file.

Separate because writing, listing and verifying must agree on these bytes. The seal is the SHA-256
of the file with the seal's own 64 characters as zeros: it finds an edit of any segment, the newest
included, whose hash no other segment holds yet. It is no signature: whoever edits with care makes a
new seal, and then the chain (the next segment's ``previous_sha256``) is what tells.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import IO, TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from sinks.archive.segment import FORMAT_VERSION, ArchiveDamagedError, Counts, Segment

if TYPE_CHECKING:
    from pathlib import Path

SEGMENT_KEY: Final = "trailwarden.segment"
SEAL_KEY: Final = "trailwarden.seal"
UNSEALED: Final = "0" * 64

_TAIL: Final = 8  # length of the Parquet footer (4 bytes, little endian), then PAR1
_MAX_FOOTER: Final = 256 << 20
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Hashes:
    """Of one file: its SHA-256, and whether its seal is that of its bytes."""

    sha256: str
    is_sealed: bool


def metadata_of(segment: Segment) -> dict[str, str]:
    """Return the footer's members; the seal is still open."""
    described = {
        "format": FORMAT_VERSION,
        "topic": segment.topic,
        "partition": segment.partition,
        "first": segment.first,
        "next": segment.next,
        "previous_sha256": segment.previous_sha256,
        "rows": segment.rows,
        "first_day": segment.first_day,
        "last_day": segment.last_day,
        "schema_version": segment.schema_version,
        "counts": [
            {"cluster": cluster, "hour": hour, **asdict(counts)}
            for (cluster, hour), counts in sorted(segment.counts.items())
        ],
    }
    return {SEGMENT_KEY: orjson.dumps(described).decode(), SEAL_KEY: UNSEALED}


def read_segment(path: Path, sha256: str | None = None) -> Segment:
    """Read a segment's footer.

    Raises
        ArchiveDamagedError: it is no Parquet file, or its footer is not one of ours.
    """
    return read_footer(path, sha256)[0]


def read_footer(path: Path, sha256: str | None = None) -> tuple[Segment, Any]:
    """Read a segment's footer once: its facts, and Parquet's own, as PyArrow's ``FileMetaData``.

    Raises
        ArchiveDamagedError: as `read_segment`.
    """
    try:
        metadata = pq.read_metadata(path)
        described = orjson.loads(metadata.metadata[SEGMENT_KEY.encode()])
        if described["format"] != FORMAT_VERSION:
            raise ArchiveDamagedError(f"{path}: format {described['format']} is not known here")
        segment = _segment(path, described, sha256)
    except (FileNotFoundError, PermissionError):
        raise
    except (
        pa.ArrowException,
        OSError,
        AttributeError,
        LookupError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:
        raise ArchiveDamagedError(f"{path}: damaged: {_first_line(error)}") from error
    if segment.rows != metadata.num_rows:
        raise ArchiveDamagedError(
            f"{path}: damaged: {metadata.num_rows} rows, {segment.rows} written"
        )
    return segment, metadata


def read_whole(path: Path) -> Segment:
    """Read a segment's footer and hash its file.

    Raises
        ArchiveDamagedError: it is not what was sealed, or not a segment at all.
    """
    found = hashes(path)
    segment = read_segment(path, found.sha256)
    if not found.is_sealed:
        raise ArchiveDamagedError(f"{path}: damaged: its bytes are not those that were sealed")
    return segment


def _segment(path: Path, described: dict[str, Any], sha256: str | None) -> Segment:
    counts = {}
    for entry in described["counts"]:
        cluster, hour = entry.pop("cluster"), datetime.fromisoformat(entry.pop("hour"))
        counts[cluster, hour.astimezone(UTC)] = Counts(**entry)
    return Segment(
        path=path,
        topic=described["topic"],
        partition=described["partition"],
        first=described["first"],
        next=described["next"],
        sha256=sha256,
        previous_sha256=described["previous_sha256"],
        rows=described["rows"],
        counts=counts,
        first_day=_day(described["first_day"]),
        last_day=_day(described["last_day"]),
        schema_version=described["schema_version"],
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def seal(stream: IO[bytes]) -> str:
    """Fill the open seal of a finished file; return the SHA-256 of the file.

    Parameters
        stream: the whole file, open for reading and writing.
    """
    at = _seal_at(stream)
    hasher = _hash_until(stream, at)
    stream.seek(at + len(UNSEALED))
    rest = stream.read()
    sealed = hasher.copy()
    sealed.update(UNSEALED.encode() + rest)
    text = sealed.hexdigest().encode()
    stream.seek(at)
    stream.write(text)
    hasher.update(text + rest)
    return hasher.hexdigest()


def hashes(path: Path) -> Hashes:
    """Hash a segment's file in one pass, bounded in memory.

    Raises
        ArchiveDamagedError: it has no seal: it is cut, or no segment.
    """
    with path.open("rb") as stream:
        try:
            at = _seal_at(stream)
        except ValueError as error:
            raise ArchiveDamagedError(f"{path}: damaged: {error}") from error
        hasher = _hash_until(stream, at)
        text = stream.read(len(UNSEALED))
        sealed = hasher.copy()
        hasher.update(text)
        sealed.update(UNSEALED.encode())
        while chunk := stream.read(_CHUNK):
            hasher.update(chunk)
            sealed.update(chunk)
    return Hashes(hasher.hexdigest(), sealed.hexdigest().encode() == text)


def _hash_until(stream: IO[bytes], end: int) -> hashlib._Hash:
    """Return the hash of a file's first ``end`` bytes; the stream stands there afterwards."""
    hasher = hashlib.sha256()
    stream.seek(0)
    while chunk := stream.read(min(_CHUNK, end - stream.tell())):
        hasher.update(chunk)
    return hasher


def _seal_at(stream: IO[bytes]) -> int:
    """Return where the seal's characters are: after their key, in the footer's plain metadata."""
    size = stream.seek(0, os.SEEK_END)
    if size < _TAIL:
        raise ValueError(f"{size} bytes are no Parquet file")
    stream.seek(size - _TAIL)
    tail = stream.read(_TAIL)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] != b"PAR1" or length > min(size - _TAIL, _MAX_FOOTER):
        raise ValueError("no Parquet footer at its end")
    start = size - _TAIL - length
    stream.seek(start)
    footer = stream.read(length)
    key = footer.rfind(SEAL_KEY.encode())
    # Between key and value stand the value's field header and length, two bytes of Thrift compact.
    at = key + len(SEAL_KEY) + 2
    if key < 0 or at + len(UNSEALED) > length:
        raise ValueError("no seal in its footer")
    return start + at
