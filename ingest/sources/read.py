"""A path in, its records out: what a scan and a tailing collector do with each file.

Separate so that decompression and framing know nothing of each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.sources.compression import open_stream
from ingest.sources.framing import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ingest.record import Records


def read_records(path: str, progress: Callable[[int], None] = lambda _: None) -> Iterator[Records]:
    """Read one file, or standard input as `-`, to chunks of raw records.

    Parameters
        progress: told how many bytes of the file (compressed ones) were read since the last time.

    Returns
        what ``ingest.sources.framing.frame`` yields; what is wrong with the file is in the chunks'
        ``problems`` and ``refused``. Never raises for it.
    """
    return frame(path, open_stream(path, progress))
