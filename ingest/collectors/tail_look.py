"""Patterns in, the files that they name now out, each with how it begins.

Separate because it only looks: what a file is, `tail_plan` decides. A file's beginning is read
again only when its size or its times have changed, so that a look at hundreds of files is cheap.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from glob import escape, has_magic, iglob
from typing import TYPE_CHECKING, Final

from ingest.collectors.tail_plan import HEAD_BYTES, FileId, Seen
from ingest.collectors.tail_reader import read_head

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """The files at one moment: oldest change first, and those that could not be read, with why."""

    seen: list[Seen] = field(default_factory=list)
    changed_ns: dict[FileId, int] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


class Watch:
    """Looks at the files of some patterns again and again."""

    __slots__ = ("_heads", "_patterns")

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._heads: dict[FileId, tuple[_Stamp, bytes, bool]] = {}

    def look(self) -> Look:
        """Look at every file once, whatever number of names it has. Never raises."""
        found: dict[FileId, tuple[Seen, int]] = {}
        unreadable: dict[str, str] = {}
        for path, wanted in self._paths():
            try:
                state = os.stat(path)  # noqa: PTH116 - hundreds of times a second
                file = FileId(state.st_dev, state.st_ino)
                if stat.S_ISREG(state.st_mode) and file not in found:
                    found[file] = self._seen(path, file, state, wanted=wanted), state.st_mtime_ns
            except FileNotFoundError:
                continue
            except OSError as error:
                if wanted:
                    unreadable[path] = error.strerror or str(error)
        self._heads = {file: self._heads[file] for file in found}
        ordered = sorted(found.values(), key=lambda one: (one[1], one[0].path))
        changed_ns = {seen.file: mtime_ns for seen, mtime_ns in ordered}
        return Look([seen for seen, _ in ordered], changed_ns, unreadable)

    def forget(self, file: FileId | None) -> None:
        """Read anew how a file begins: its times did not tell that it was written."""
        if file is not None:
            self._heads.pop(file, None)

    def _paths(self) -> Iterator[tuple[str, bool]]:
        """Yield what the patterns name, then what may be the rest of it under another name."""
        for pattern in self._patterns:
            yield from ((path, True) for path in sorted(iglob(pattern, recursive=True)))  # noqa: PTH207
        for pattern in self._patterns:
            if not has_magic(pattern):
                yield from ((path, False) for path in _siblings(pattern))

    def _seen(self, path: str, file: FileId, state: os.stat_result, *, wanted: bool) -> Seen:
        stamp = state.st_size, state.st_mtime_ns, state.st_ctime_ns
        known = self._heads.get(file)
        if known is None or known[0] != stamp:
            known = stamp, *read_head(path, HEAD_BYTES)
            self._heads[file] = known
        return Seen(path, file, state.st_size, known[1], packed=known[2], wanted=wanted)


_SIBLINGS: Final = "*"


def _siblings(path: str) -> Iterable[str]:
    """Name the files that rotation makes of `audit.log`: audit.log.1.gz, audit-2026-11-21.log."""
    folder, name = os.path.split(path)
    stem = name.split(".", maxsplit=1)[0] or name
    return iglob(os.path.join(escape(folder), escape(stem) + _SIBLINGS))  # noqa: PTH118, PTH207 - as text
