"""How far each file was sent, kept over restarts: a small JSON file that is whole or the old one.

Separate because this is the tail's promise (P1) on the disk: what it says is in Kafka.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION: Final = 1


class BadCheckpointError(Exception):
    """The checkpoint cannot be used; the message says why and what to do."""


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


class _Content(msgspec.Struct, frozen=True):
    version: int
    files: list[Place]


class CheckpointFile:
    """The file of one tail; no other process may use it at the same time."""

    __slots__ = ("_lock", "_path", "_temporary")

    def __init__(self, path: Path) -> None:
        """Take the file.

        Raises
            BadCheckpointError: another process has it, or its folder cannot be written.
        """
        self._path = path
        self._temporary = path.with_name(f"{path.name}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._lock = os.open(path.with_name(f"{path.name}.lock"), flags, 0o600)
        except OSError as error:
            raise BadCheckpointError(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise BadCheckpointError(f"{path}: another collector uses it") from error

    def load(self) -> list[Place]:
        """Return what was saved last; nothing where there is no file yet.

        Raises
            BadCheckpointError: it cannot be read. Without it everything would be sent once more,
                so that is for a person to decide.
        """
        try:
            content = msgspec.json.decode(self._path.read_bytes(), type=_Content)
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            advice = "delete it to send all files from their beginning again"
            raise BadCheckpointError(f"{self._path}: {error}; {advice}") from error
        if content.version != VERSION:
            raise BadCheckpointError(f"{self._path}: version {content.version} is not {VERSION}")
        return content.files

    def save(self, places: Sequence[Place]) -> None:
        """Replace what was saved; safe on the disk when this returns. Raises OSError."""
        data = msgspec.json.encode(_Content(VERSION, list(places)))
        descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        self._temporary.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let the file go."""
        os.close(self._lock)
