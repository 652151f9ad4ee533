"""Bytes in a temporary file become a file that is whole, on disk, and appears once.

Separate because archive segments and snapshots of state rest on the same three steps (fsync the
file, `os.link` it to its name, fsync the folder) and on the same rule for what dead processes left
behind. `os.link` is the create-if-absent of a folder: it fails where the name is taken, and what it
names is complete. An object store would put its conditional put (`If-None-Match: *`) in `publish`;
that is not built.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
import time
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Final

TEMPORARY: Final = ".tmp"

FOREIGN_AGE_S: Final = 24 * 3600.0
"""Age at which a temporary file of another host is taken for dead: a live worker publishes or drops
its own at every checkpoint, minutes apart."""

_NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_serial: Final = itertools.count()


class StoreUnsuitableError(Exception):
    """The folder's file system cannot create a file only if it is absent."""


def make_folder(folder: Path) -> None:
    """Make a folder and its parents, each durable before anything is put into it."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def require_links(folder: Path) -> None:
    """Refuse a file system without hard links, at start-up and not at the first checkpoint.

    Raises
        StoreUnsuitableError: `os.link` does not work in ``folder``.
        OSError: the folder cannot be written.
    """
    make_folder(folder)
    temporary = temporary_path(folder / "link-check")
    temporary.touch()
    final = temporary.with_name(f"{temporary.name}.linked{TEMPORARY}")
    try:
        publish(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)
        final.unlink(missing_ok=True)


def temporary_path(final: Path) -> Path:
    """Return a name beside ``final`` that no other live process uses and that says whose it is."""
    owner = f"{_host()}-{os.getpid()}-{_started(os.getpid())}-{next(_serial)}"
    return final.with_name(f".{final.name}.{owner}{TEMPORARY}")


def publish(temporary: Path, final: Path) -> bool:
    """Give a finished, fsynced temporary file its name; False where the name is taken.

    The temporary name is gone afterwards, whatever happened.

    Raises
        StoreUnsuitableError: the file system has no hard links.
        OSError: the file system refused; nothing appeared, or only what is whole.
    """
    try:
        created = _link(temporary, final)
        if created:
            sync_folder(final.parent)
        return created
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, final: Path) -> bool:
    try:
        os.link(temporary, final)
    except FileExistsError:
        # NFS repeats a request whose answer was lost: the name may be taken by this very file.
        return final.samefile(temporary)
    except OSError as error:
        if error.errno in _NO_LINKS:
            raise StoreUnsuitableError(
                f"{final.parent}: the file system has no hard links ({error.strerror}); "
                "segments and snapshots must be created only if absent: use another file system"
            ) from error
        raise
    return True


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(folder: Path, now_s: float | None = None) -> list[Path]:
    """Remove the temporary files that dead processes left in ``folder``; return them.

    A file of this host goes when its process is gone (or its number was given to another); a file
    of another host, whose processes cannot be seen from here, when it is older than a day.

    Parameters
        now_s: seconds since the epoch that ages are counted to; None asks the clock.
    """
    now_s = time.time() if now_s is None else now_s
    dead = [path for path in folder.glob(f".*{TEMPORARY}") if _is_dead(path, now_s)]
    for path in dead:
        path.unlink(missing_ok=True)
    return dead


def _is_dead(path: Path, now_s: float) -> bool:
    parts = path.name.removesuffix(TEMPORARY).rsplit(".", 1)[-1].split("-")
    if len(parts) == len(("host", "pid", "start", "serial")) and parts[0] == _host():
        return _started(int(parts[1])) != parts[2]
    try:
        return now_s - path.stat().st_mtime > FOREIGN_AGE_S
    except FileNotFoundError:
        return False


@cache
def _host() -> str:
    """Return what tells apart who can see whose processes: host, boot and process namespace.

    The host's name alone will not do: containers may share it and number their processes alike.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()
    space = Path("/proc/self/ns/pid").readlink()
    seen = f"{socket.gethostname()}\n{boot}\n{space}"
    return blake2b(seen.encode(), digest_size=6).hexdigest()


def _started(process: int) -> str:
    """Return when a process started, in ticks since boot; empty where there is none."""
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The command's name is in brackets and may hold anything, blanks and brackets included.
    return status.rpartition(")")[2].split()[19]
