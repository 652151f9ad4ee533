"""Snapshots of state in, files named by offset and hash out, and back if they are whole.

Separate from the archive because a snapshot may be missing: it is only a shortcut, the state is a
fold over the log. Separate from the fold because bytes are all that is known here. A folder only;
see `sinks.durable_file` for object stores.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sinks.durable_file import make_folder, publish, sweep, temporary_path

SUFFIX: Final = ".state"
OFFSET_DIGITS: Final = 20
_HASH_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Stored:
    """A snapshot that is durable: what a checkpoint's metadata must say to find it again."""

    name: str
    sha256: str


class StateStore:
    """Snapshots under ``FOLDER/state/TOPIC/PARTITION/OFFSET-HASH.state``.

    A name is the path below ``FOLDER/state``, so that it finds the file alone.
    """

    __slots__ = ("_folder",)

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "state"

    def save(self, topic: str, partition: int, offset: int, data: bytes) -> Stored:
        """Make a snapshot durable; the same bytes at the same offset are stored once.

        Raises
            OSError: the disk refused; nothing appeared under the name.
            StoreUnsuitableError: the file system has no hard links.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        file_name = f"{offset:0{OFFSET_DIGITS}}-{sha256[:_HASH_DIGITS]}{SUFFIX}"
        stored = Stored(f"{topic}/{partition}/{file_name}", sha256)
        final = self._folder / stored.name
        make_folder(final.parent)
        sweep(final.parent)
        if self.load(stored.name, sha256) is None:
            final.unlink(missing_ok=True)  # what may be there is damaged
            _write(final, data)
        return stored

    def load(self, name: str, sha256: str | None = None) -> bytes | None:
        """Return a snapshot's bytes; None where it is missing or not what was stored.

        Parameters
            sha256: as `save` returned it; None checks against the digits in the name.
        """
        path = self._folder / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            return None
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        wanted = path.stem.rpartition("-")[2] if sha256 is None else sha256
        is_whole = bool(wanted) and hashlib.sha256(data).hexdigest().startswith(wanted)
        return data if is_whole else None

    def earlier(self, topic: str, partition: int, before_offset: int) -> list[str]:
        """Return the names of a partition's snapshots below an offset, newest first."""
        names = self._names(topic, partition)
        return [name for name in reversed(names) if offset_of(name) < before_offset]

    def prune(self, topic: str, partition: int, keep: int) -> list[str]:
        """Remove all but the newest ``keep`` (at least one) snapshots; return what went."""
        gone = self._names(topic, partition)[: -max(keep, 1)]
        for name in gone:
            (self._folder / name).unlink(missing_ok=True)
        return gone

    def _names(self, topic: str, partition: int) -> list[str]:
        """Return a partition's snapshots, oldest first."""
        folder = self._folder / topic / str(partition)
        if not folder.is_dir():
            return []
        found = (path.name for path in folder.iterdir() if _is_snapshot(path.name))
        return [f"{topic}/{partition}/{name}" for name in sorted(found)]


def offset_of(name: str) -> int:
    """Return the offset that a snapshot's state reaches up to."""
    return int(Path(name).name[:OFFSET_DIGITS])


def _write(final: Path, data: bytes) -> None:
    temporary = temporary_path(final)
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        publish(temporary, final)  # a taken name is this hash: another wrote the same just now
    finally:
        temporary.unlink(missing_ok=True)


def _is_snapshot(name: str) -> bool:
    offset, dash, digits = name.removesuffix(SUFFIX).partition("-")
    return (
        name.endswith(SUFFIX)
        and bool(dash)
        and len(digits) == _HASH_DIGITS
        and len(offset) == OFFSET_DIGITS
        and offset.isascii()
        and offset.isdigit()
    )
