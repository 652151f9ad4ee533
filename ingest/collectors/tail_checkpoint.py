"""How far one content of a followed file was sent, as the tail's checkpoint keeps it.

Separate from the file that holds such places because other collectors keep others.
"""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far one content was sent.

    ``offset`` counts the unpacked bytes that are in Kafka, ``finished`` is the size of a packed
    file that was read to its end, else -1. ``inode`` is 0 where no file holds the content now.
    """

    path: str
    device: int
    inode: int
    offset: int
    head_bytes: int
    head_sha256: str
    finished: int = -1
