"""Which versions of a model are in use: one small file that is exchanged as a whole.

Separate from the models because it is the only thing in a registry that ever changes. It holds each
version's hash, so that a folder that was exchanged behind a promotion is noticed. It is not signed:
who may write it may choose among the models that trusted keys signed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from msgspec import Meta

from models.store.folder import opened, read_file, sync_folder, write_file
from models.store.manifest import is_name
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CURRENT: Final = "current.json"
KEPT: Final = 100
"""Champions before this one that a rollback can go back to."""

_LOCK: Final = ".lock"
_MOST_BYTES: Final = 64 << 10
_SHA256: Final = r"\A[0-9a-f]{64}\Z"


class Promoted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A version, and the hash of its manifest."""

    version: str
    sha256: Annotated[str, Meta(pattern=_SHA256)]


class Pointer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is in use: the champion's findings count, the challenger is only compared with it."""

    champion: Promoted | None = None
    challenger: Promoted | None = None
    before: Annotated[tuple[Promoted, ...], Meta(max_length=KEPT)] = ()
    """Earlier champions, the latest first."""


def read_pointer(folder: Path) -> Pointer:
    """Return what is in use of the model whose versions are in ``folder``.

    Raises
        ModelRefusedError: there is no such folder, or the file is not what `write_pointer` writes.
    """
    path = folder / CURRENT
    try:
        with opened(folder) as handle:
            data = read_file(handle, CURRENT, _MOST_BYTES)
    except ModelRefusedError as error:
        if error.reason is Reason.MISSING_FILE:
            return Pointer()
        raise
    try:
        pointer = msgspec.json.decode(data, type=Pointer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ModelRefusedError(Reason.NOT_PROMOTED, f"{path}: {error}") from error
    named = (pointer.champion, pointer.challenger, *pointer.before)
    if not all(is_name(one.version) for one in named if one is not None):
        raise ModelRefusedError(Reason.NOT_PROMOTED, f"{path}: a version is no plain name")
    return pointer


def write_pointer(folder: Path, pointer: Pointer) -> None:
    """Exchange what is in use; whoever reads meanwhile sees the one before or this one."""
    temporary = folder / f".{CURRENT}.{os.getpid()}.tmp"
    temporary.unlink(missing_ok=True)
    try:
        write_file(temporary, msgspec.json.format(msgspec.json.encode(pointer)) + b"\n")
        temporary.replace(folder / CURRENT)
        sync_folder(folder)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time read a pointer and write the next."""
    handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
