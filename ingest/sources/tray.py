"""Records, refusals and salvaged events are laid here and taken away in chunks.

Separate from framing because the size of a chunk is the decoder's concern: a few hundred records
stay in the processor's cache while they are decoded, and a chunk of large ones stays small.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.record import (
    InputProblem,
    Reason,
    Records,
    Refused,
    Salvage,
    Stage,
    sha256_hex,
)
from ingest.salvage import salvage

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK_RECORDS: Final = 500
"""Most records of a chunk: decoding 250 to 500 at a time is fastest (docs/decisions/0001)."""

CHUNK_BYTES: Final = 4 << 20
"""Bytes of records from which on a chunk is full; one record may be larger by itself."""


class Tray:
    """What framing has found in one stream and nobody has taken yet."""

    __slots__ = ("_offsets", "_raws", "_refused", "_salvaged", "_size", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._raws: list[bytes] = []
        self._offsets: list[int] = []
        self._refused: list[Refused] = []
        self._salvaged: dict[int, Salvage] = {}
        self._size = 0

    def lay(self, raws: list[bytes], offsets: list[int], size_bytes: int) -> None:
        """Add records in the stream's order; ``size_bytes`` is about what they weigh."""
        self._raws += raws
        self._offsets += offsets
        self._size += size_bytes

    def lay_salvaged(self, raw: bytes, offset: int, what: Salvage) -> None:
        """Add what is left of one record."""
        self.lay([raw], [offset], len(raw))
        self._salvaged[offset] = what

    def refuse(self, reason: Reason, offset: int, size_bytes: int, sha256: str, why: str) -> None:
        """Add one record that framing could not hand on."""
        refused = Refused(Stage.FRAME, reason, self.path, offset, size_bytes, sha256, why)
        self._refused.append(refused)

    def salvage_or_refuse(self, raw: bytes, offset: int, reason: Reason, why: str) -> None:
        """Add the sound part of an audit event, else its refusal."""
        sha256 = sha256_hex(raw)
        if saved := salvage(raw):
            self.lay_salvaged(saved.raw, offset, Salvage(saved.dropped, len(raw), sha256))
        else:
            self.refuse(reason, offset, len(raw), sha256, why)

    def full(self) -> Iterator[Records]:
        """Yield chunks as soon as one is full."""
        most = max(len(self._raws), len(self._refused))
        if most >= CHUNK_RECORDS or self._size >= CHUNK_BYTES:
            yield from self.rest([])

    def rest(self, problems: list[InputProblem]) -> Iterator[Records]:
        """Yield everything in chunks; refusals and problems stand in the last one."""
        starts = range(0, len(self._raws), CHUNK_RECORDS)
        chunks = [self._chunk(start) for start in starts]
        if (self._refused or problems) and not chunks:
            chunks = [self._chunk(0)]
        if chunks:
            chunks[-1].refused.extend(self._refused)
            chunks[-1].problems.extend(problems)
        self._raws, self._offsets, self._refused, self._salvaged = [], [], [], {}
        self._size = 0
        yield from chunks

    def _chunk(self, start: int) -> Records:
        offsets = self._offsets[start : start + CHUNK_RECORDS]
        chunk = Records(self.path, self._raws[start : start + CHUNK_RECORDS], offsets)
        if self._salvaged:
            known = ((offset, self._salvaged.get(offset)) for offset in offsets)
            chunk.salvaged.update((offset, what) for offset, what in known if what)
        return chunk
