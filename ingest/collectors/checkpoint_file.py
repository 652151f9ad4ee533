"""How far a collector has come, kept over restarts: a small JSON file that is whole or the old one.

Separate because this is a collector's promise (P1) on the disk: what it says is in Kafka.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

VERSION: Final = 1

P = TypeVar("P")


class BadCheckpointError(Exception):
    """The checkpoint cannot be used; the message says why and what to do."""


class _Content(msgspec.Struct, Generic[P], frozen=True):
    version: int
    files: list[P]


class CheckpointFile(Generic[P]):
    """The file of one collector; no other process may use it at the same time."""

    __slots__ = ("_content", "_lock", "_path", "_temporary")

    def __init__(self, path: Path, places: type[P]) -> None:
        """Take the file.

        Parameters
            places: the type of what it holds, a msgspec.Struct.

        Raises
            BadCheckpointError: another process has it, or its folder cannot be written.
        """
        self._path = path
        self._content = msgspec.json.Decoder(_Content[places])  # type: ignore[valid-type]  # known at run time
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

    def load(self) -> list[P]:
        """Return what was saved last; nothing where there is no file yet.

        Raises
            BadCheckpointError: it cannot be read. Without it everything would be sent once more,
                so that is for a person to decide.
        """
        try:
            content = self._content.decode(self._path.read_bytes())
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            advice = "delete it to send everything from the beginning again"
            raise BadCheckpointError(f"{self._path}: {error}; {advice}") from error
        if content.version != VERSION:
            raise BadCheckpointError(f"{self._path}: version {content.version} is not {VERSION}")
        return content.files

    def save(self, places: Sequence[P]) -> None:
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
