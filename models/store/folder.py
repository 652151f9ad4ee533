"""A folder of a model: its names, and each file's bytes, read once; and the same bytes written.

Separate because nothing here knows what the bytes mean. Files are opened through the folder's own
descriptor and never through a link, so that what is listed, measured, hashed and parsed is one and
the same file whatever is done to the path meanwhile.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from models.store.limits import FILES
from models.store.refusal import ModelRefusedError, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_OPEN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_REASONS: Final = {
    errno.ENOENT: Reason.MISSING_FILE,
    errno.ELOOP: Reason.SYMLINK,
    errno.ENXIO: Reason.NOT_A_FILE,
}
_CHUNK_BYTES: Final = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Give the descriptor of a folder.

    Raises
        ModelRefusedError: there is none, or it is a link.
    """
    if path.is_symlink():
        raise ModelRefusedError(Reason.SYMLINK, f"{path} is a link")
    try:
        folder = os.open(path, _OPEN | os.O_DIRECTORY)
    except OSError as error:
        detail = f"{path}: {error.strerror}"
        raise ModelRefusedError(Reason.NOT_A_FOLDER, detail) from error
    try:
        yield folder
    finally:
        os.close(folder)


def names_in(folder: int) -> set[str]:
    """Return the names in a folder; more than any model has are not read."""
    found: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            found.add(entry.name)
            if len(found) > FILES + 2:
                detail = f"more than {FILES + 2} files"
                raise ModelRefusedError(Reason.ADDITIONAL_FILE, detail)
    return found


def read_file(folder: int, name: str, limit_bytes: int) -> bytes:
    """Return the bytes of a regular file of at most so many bytes.

    Raises
        ModelRefusedError: it is missing, a link, no file, or larger.
    """
    try:
        handle = os.open(name, _OPEN, dir_fd=folder)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, Reason.UNREADABLE)
        raise ModelRefusedError(reason, f"{name}: {error.strerror}") from error
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise ModelRefusedError(Reason.NOT_A_FILE, f"{name} is no file")
        if found.st_size > limit_bytes:
            detail = f"{name}: {found.st_size} bytes, at most {limit_bytes} may be"
            raise ModelRefusedError(Reason.OVERSIZED, detail)
        # One byte more than may be: a file that grows meanwhile is noticed.
        return _read(handle, name, limit_bytes + 1)
    finally:
        os.close(handle)


def _read(handle: int, name: str, most_bytes: int) -> bytes:
    held = bytearray()
    try:
        while len(held) < most_bytes:
            chunk = os.read(handle, min(_CHUNK_BYTES, most_bytes - len(held)))
            if not chunk:
                return bytes(held)
            held += chunk
    except OSError as error:
        raise ModelRefusedError(Reason.UNREADABLE, f"{name}: {error.strerror}") from error
    raise ModelRefusedError(Reason.OVERSIZED, f"{name}: at least {most_bytes} bytes")


def write_folder(final: Path, files: Mapping[str, bytes]) -> None:
    """Make a folder that appears whole and durable, or not at all.

    Raises
        FileExistsError: there is one; it is left as it is.
        OSError: the disk refused.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process of the same number that died
    temporary.mkdir()
    try:
        for name, data in files.items():
            write_file(temporary / name, data)
        sync_folder(temporary)
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final))
        temporary.rename(final)  # fails where another was faster: its folder is not empty
        sync_folder(final.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_file(path: Path, data: bytes) -> None:
    """Write a file and wait until it is on disk."""
    with path.open("xb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
