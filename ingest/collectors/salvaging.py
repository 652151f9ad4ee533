"""A record over the size limit in; its flagged remainder out, and the original into the spool.

Separate because every collector meets such records, and none may drop one or stop at one. What the
remainder holds is `ingest.salvage`'s matter; the spool is for people, nothing reads it back.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ingest.record import Salvage, sha256_hex
from ingest.salvage import MAX_RECORD_BYTES, salvage
from ingest.sources.oversized import take_oversized
from ingest.sources.tape import Tape
from ingest.sources.tray import Tray

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

SPOOL_BYTES: Final = 1 << 30
"""Most bytes of a spool folder: whoever can make one large record can make many."""

HEAD_BYTES: Final = 64 << 10
"""Bytes sent of a record that no event can be salvaged from; they end in quarantine."""

_GZIP_WINDOW_BITS: Final = 31
_NO_NEXT_RECORD: Final = b"\n{"
"""What cannot stand within a line."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What to send. ``salvage`` and ``original`` stand only where ``value`` is not all of it."""

    value: bytes
    salvage: Salvage | None = None
    original: bytes | None = None


def fit(raw: bytes) -> Fitted | None:
    """Make a record fit a message.

    Returns
        the record itself up to ``MAX_RECORD_BYTES``; of a larger one what can be salvaged, flagged;
        None if that is no audit event (send ``head_of`` it, so that it is accounted for).
    """
    if len(raw) <= MAX_RECORD_BYTES:
        return Fitted(raw)
    saved = salvage(raw)
    if saved is None:
        return None
    return Fitted(saved.raw, Salvage(saved.dropped, len(raw), sha256_hex(raw)), raw)


def head_of(raw: bytes) -> Fitted:
    """Cut off a record that ``fit`` found nothing in: flagged, with its true size and hash."""
    return Fitted(raw[:HEAD_BYTES], Salvage((), len(raw), sha256_hex(raw)), raw)


def shrink(raw: bytes) -> Fitted:
    """Make a record fit a broker that takes less than `ingest.salvage` knows: its first part."""
    saved = salvage(raw[:HEAD_BYTES])
    cut = head_of(raw)
    if saved is None or cut.salvage is None:
        return cut
    return Fitted(saved.raw, replace(cut.salvage, dropped=saved.dropped), raw)


def spool(folder: Path, original: bytes, limit_bytes: int = SPOOL_BYTES) -> Path | None:
    """Keep an original as ``<sha256>.gz``, readable for its owner only: it may hold secrets.

    Returns
        its path; None when the folder is full or the disk does not take it. It appears whole or not
        at all. Never raises: a full disk must not stop the records.
    """
    kept = folder / f"{sha256_hex(original)}.gz"
    with suppress(OSError):
        if kept.exists():
            return kept
    spooling = _Spooling(folder, limit_bytes)
    for _ in spooling.through(iter([original])):
        pass
    return spooling.finish()


def pass_by(chunks: Iterator[bytes], folder: Path) -> tuple[Fitted, Path | None]:
    """Make a record fit that is too long to be held; its original goes by into the spool.

    Returns
        what to send, always flagged, and where the original is kept (None as in ``spool``).
        Memory: about 20 MiB, whatever its length.
    """
    spooling, tray = _Spooling(folder, SPOOL_BYTES), Tray("")
    tape = Tape(spooling.through(chunks))
    tape.reach(HEAD_BYTES)
    head = tape.peek(0, HEAD_BYTES)
    if head.startswith(b"{"):
        take_oversized(tape, tray, _NO_NEXT_RECORD)
    while tape.ahead or tape.grow():
        tape.skip(tape.ahead)
    found = next(tray.rest([]), None)
    value = found.raws[0] if found and found.raws else head
    dropped = found.salvaged[found.offsets[0]].dropped if found and found.raws else ()
    path = spooling.finish()
    return Fitted(value, Salvage(dropped, spooling.size_bytes, spooling.sha256)), path


class _Spooling:
    """Bytes on their way through: counted, hashed, and packed into a file while there is room."""

    __slots__ = ("_file", "_folder", "_hash", "_packer", "_room", "_temporary", "size_bytes")

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._folder = folder
        self._temporary = folder / f"{os.getpid()}.partial"
        self._hash = hashlib.sha256()
        self._packer = zlib.compressobj(1, wbits=_GZIP_WINDOW_BITS)
        self._room = limit_bytes
        self._file: BinaryIO | None = None
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Hand on what comes."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._room -= sum(entry.stat().st_size for entry in os.scandir(self._folder))
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.fdopen(os.open(self._temporary, flags, 0o600), "wb")
        for chunk in chunks:
            self.size_bytes += len(chunk)
            self._hash.update(chunk)
            self._write(self._packer.compress(chunk))
            yield chunk

    def finish(self) -> Path | None:
        """Give the file its name, once it is safe on the disk."""
        self._write(self._packer.flush())
        if self._file is None:
            return None
        path = self._folder / f"{self.sha256}.gz"
        try:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            self._temporary.replace(path)
        except OSError:
            self._give_up()
            return None
        return path

    def _write(self, packed: bytes) -> None:
        self._room -= len(packed)
        if self._file is None:
            return
        try:
            if self._room < 0:
                self._give_up()
            else:
                self._file.write(packed)
        except OSError:
            self._give_up()

    def _give_up(self) -> None:
        """Leave nothing half."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None
        with suppress(OSError):
            self._temporary.unlink(missing_ok=True)
