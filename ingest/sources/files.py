"""Paths as people give them in, files to read out, and what of them cannot be read.

Separate from reading because a scan wants to know its files before it begins, and because one
unreadable folder must not cost the others.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ingest.record import InputProblem
from ingest.sources.source import STDIN

if TYPE_CHECKING:
    from collections.abc import Sequence

SUFFIXES: Final = (".json", ".ndjson", ".log", ".txt")
COMPRESSED: Final = (".gz", ".zst")
NAMES: Final = frozenset({"wtmp", "btmp", "messages", "secure", "syslog"})
"""Logs that have no suffix: what `/var/log` holds besides."""

_SPECIAL: Final = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


@dataclass(frozen=True, slots=True)
class Found:
    """Files to read, in their order, and the paths that could not be followed."""

    files: list[str] = field(default_factory=list)
    problems: list[InputProblem] = field(default_factory=list)


def find_files(paths: Sequence[str]) -> Found:
    """Expand files, folders and `-` to the files to read.

    Parameters
        paths: files, read whatever their name, even a pipe; folders, searched recursively for logs
            by name; `-`, standard input.

    Returns
        the files in the order of ``paths``, those of a folder sorted by name. A file that is
        reached twice, by the same path or through a symbolic link, is there once; a copy is another
        file. What cannot be followed is a problem in words. Never raises for what is on the disk.
    """
    search = _Search()
    for path in paths:
        if path == STDIN:
            search.add(path, path)
        else:
            search.follow(path)
    return search.found


def is_log_name(name: str) -> bool:
    """Whether a file in a folder is read: by suffix or name, also compressed or rotated.

    Rotated as logrotate(8) does it, `audit.log.1` or with its dateext `audit.log-20261121`; the API
    server's own rotation, `audit-2026-11-21T10-00-00.000.log`, keeps the suffix.
    """
    name = name.rpartition("/")[2].lower()
    for suffix in COMPRESSED:
        name = name.removesuffix(suffix)
    stem = name.rstrip("0123456789")
    if stem != name and stem.endswith((".", "-")):
        name = stem[:-1]
    return name.endswith(SUFFIXES) or name in NAMES


class _Search:
    """What was found so far, and what was visited: symbolic links may lead in circles."""

    def __init__(self) -> None:
        self.found = Found()
        self._files: set[str] = set()
        self._folders: set[tuple[int, int]] = set()

    def follow(self, path: str) -> None:
        """Take the file that a person named, or the logs in the folder."""
        entries = self._visit(path, named=True)
        while entries:  # a stack: folders may be nested deeper than Python's calls
            entries.extend(self._visit(entries.pop(), named=False))

    def add(self, path: str, identity: str) -> None:
        """Take a file unless it was taken under another name."""
        if identity not in self._files:
            self._files.add(identity)
            self.found.files.append(path)

    def _visit(self, path: str, *, named: bool) -> list[str]:
        """Take a file, or note why not; return what is in a folder, last name first."""
        if (text := path.encode(errors="backslashreplace").decode()) != path:
            self._note(text, "has a name that is not UTF-8 and was not read: rename it")
            return []
        try:
            status = os.stat(path)  # noqa: PTH116 - paths stay the text that people gave
            if stat.S_ISDIR(status.st_mode):
                return self._enter(path, (status.st_dev, status.st_ino))
        except OSError as error:
            self._note(path, _reason(path, error))
            return []
        if stat.S_ISREG(status.st_mode):
            if named or is_log_name(path):
                self.add(path, os.path.realpath(path))
        elif named:
            self.add(path, path)  # `<(kubectl logs ...)` of a shell is a pipe
        else:
            kind = _SPECIAL.get(stat.S_IFMT(status.st_mode), "no regular file")
            self._note(path, f"is {kind} and was not read")
        return []

    def _enter(self, path: str, identity: tuple[int, int]) -> list[str]:
        if identity in self._folders:
            return []
        self._folders.add(identity)
        names = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 - as above
        return [os.path.join(path, name) for name in names]  # noqa: PTH118

    def _note(self, path: str, message: str) -> None:
        self.found.problems.append(InputProblem(path, message))


def _reason(path: str, error: OSError) -> str:
    """Say in words why a path could not be followed."""
    if error.errno == errno.ENOENT:
        broken = os.path.islink(path)  # noqa: PTH114 - as above
        return "is a link to something that does not exist" if broken else "does not exist"
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno == errno.EACCES:
        return "may not be read: permission denied"
    return f"cannot be read: {error.strerror}"
