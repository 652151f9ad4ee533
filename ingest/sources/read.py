"""A path in, its records out: what a scan and a tailing collector do with each file.

Separate so that decompression and framing know nothing of each other; here alone it is decided
whether a stream is text or the entries of a login file.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.record import InputProblem
from ingest.sources.compression import open_stream
from ingest.sources.framing import frame
from ingest.sources.login_records import HEAD_BYTES, frame_logins, login_layout
from ingest.sources.source import STDIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.record import Records


def read_records(path: str, progress: Callable[[int], None] = lambda _: None) -> Iterator[Records]:
    """Read one file, or standard input as `-`, to chunks of raw records.

    Parameters
        progress: told how many bytes of the file (compressed ones) were read since the last time.

    Returns
        what ``ingest.sources.framing.frame`` yields, or ``frame_logins`` for wtmp and btmp, with
        the time when the file was last written; what is wrong with the file is in the chunks'
        ``problems`` and ``refused``. Never raises for it.
    """
    written = _last_written(path)
    for records in frame_stream(path, open_stream(path, progress)):
        received = (written,) * len(records.raws) if written else ()
        yield replace(records, received=received)


def frame_stream(path: str, chunks: Iterator[bytes | InputProblem]) -> Iterator[Records]:
    """Cut a decompressed stream into records, whether it is text or a login file.

    Parameters
        path: names the stream in what comes out; login files are told apart by its last part.

    Returns
        what ``frame`` yields, or ``frame_logins``. Never raises for what is in the stream.
    """
    ahead, head = _ahead(chunks)
    layout = login_layout(head, path)
    stream = _joined(ahead, chunks)
    yield from frame_logins(path, stream, layout) if layout else frame(path, stream)


def _ahead(
    chunks: Iterator[bytes | InputProblem],
) -> tuple[list[bytes | InputProblem], bytes]:
    """Return the first chunks, and as much of the stream as tells what it is, or all there is."""
    ahead: list[bytes | InputProblem] = []
    head = b""
    while len(head) < HEAD_BYTES and (chunk := next(chunks, None)) is not None:
        ahead.append(chunk)
        if not isinstance(chunk, InputProblem):
            head += chunk[:HEAD_BYTES]
    return ahead, head[:HEAD_BYTES]


def _joined(
    ahead: list[bytes | InputProblem], chunks: Iterator[bytes | InputProblem]
) -> Iterator[bytes | InputProblem]:
    yield from ahead
    yield from chunks


def _last_written(path: str) -> datetime | None:
    """Return when a file was last written; standard input and pipes were not."""
    try:
        status = Path(path).stat() if path != STDIN else None
    except (OSError, ValueError):
        return None
    return datetime.fromtimestamp(status.st_mtime, UTC) if status and status.st_size else None
