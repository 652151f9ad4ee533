"""What is known of the files and what a look at them showed in; what each file is now, out.

Separate and pure because this decides whether a line is lost or sent twice: a file is renamed,
copied and truncated, compressed, deleted, and its inode is given to another, all between two looks.
So a content is told by how it begins, and the inode only says where it was last seen.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HEAD_BYTES: Final = 1024
"""Bytes a content is told by. An audit line's auditID stands within its first 200."""


@dataclass(frozen=True, slots=True, order=True)
class FileId:
    """A file, whatever it is called; the inode may be given to another once it is deleted."""

    device: int
    inode: int


@dataclass(frozen=True, slots=True)
class Head:
    """How a content begins: whole lines, or ``HEAD_BYTES``. No length: it cannot be told by it."""

    length: int = 0
    sha256: str = ""

    def begins(self, head: bytes) -> bool:
        """Whether a file that begins with ``head`` has this content; no head fits nothing."""
        return 0 < self.length <= len(head) and _sha256(head[: self.length]) == self.sha256


def head_of(head: bytes) -> Head:
    """Return what can be told of the first bytes (at most ``HEAD_BYTES``) of a file.

    Half a line is the same in many files. The zero bytes that a writer without O_APPEND leaves
    before its next line when its file is truncated are, too.
    """
    sure = head if len(head) >= HEAD_BYTES else head[: head.rfind(b"\n") + 1]
    if not sure or sure.startswith(b"\0"):
        return Head()
    return Head(len(sure), _sha256(sure))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Seen:
    """One file at one look.

    ``size_bytes`` is that of the file, ``head`` begins its content: unpacked, if ``packed``.
    ``wanted`` says that a pattern names it; else it may only hold the rest of a known content.
    """

    path: str
    file: FileId
    size_bytes: int
    head: bytes
    packed: bool = False
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """One content: where it is read (None: that file is gone or holds something else), how far.

    A greater ``key`` was met later. ``end`` is the length of the content in its file, half a line
    included, once the file was read to there; None while there is more to read.
    """

    key: int
    file: FileId | None
    offset: int
    head: Head
    end: int | None = None


class Verdict(StrEnum):
    """What a file is."""

    SAME = "same"  # goes on where it was
    MOVED = "moved"  # a known content that is to be read from this file now
    COPY = "copy"  # a known content that is read from another file
    NEW = "new"  # a content never met
    WAIT = "wait"  # too short to tell
    IGNORED = "ignored"  # not asked for


@dataclass(frozen=True, slots=True)
class Decision:
    """A file, what it is, and the key of its content: the known one's, or a new one's to be."""

    seen: Seen
    verdict: Verdict
    key: int | None = None


def plan(known: Iterable[Known], seen: Sequence[Seen]) -> list[Decision]:
    """Decide for every file that was seen; each stands there once.

    A known content whose file is not decided to be the ``SAME`` has lost it, and is read on from
    where it has ``MOVED`` to, now or at a later look. As long as one file holds the unread rest of
    a content, it is found. Linear in files and contents, but for the many lengths of short heads.
    """
    contents = _Contents(known)
    files = {file.file for file in seen}
    decisions = [d for file in seen if (d := contents.same(file))]
    contents.lose(files - {decision.seen.file for decision in decisions})
    decided = {decision.seen.file for decision in decisions}
    rest = [file for file in seen if file.file not in decided]
    for file in sorted(rest, key=lambda file: -len(file.head)):
        decision = contents.find(file) or _unknown(file, decisions, contents.next_key)
        contents.learn(decision)
        decisions.append(decision)
    return decisions


class _Contents:
    """The known contents, by file and by head, as they are after each decision."""

    __slots__ = ("_before", "_by_file", "_by_head", "_by_key", "_lengths")

    def __init__(self, known: Iterable[Known]) -> None:
        self._by_key = {one.key: one for one in known}
        self._by_file = {one.file: one.key for one in self._by_key.values() if one.file}
        self._before = dict(self._by_file)
        self._by_head: dict[Head, list[int]] = {}
        self._lengths: set[int] = set()
        for one in self._by_key.values():
            self._index(one)

    def _index(self, one: Known) -> None:
        if one.head.length:
            self._by_head.setdefault(one.head, []).append(one.key)
            self._lengths.add(one.head.length)

    @property
    def next_key(self) -> int:
        return max(self._by_key, default=-1) + 1

    def same(self, file: Seen) -> Decision | None:
        """Decide on a file that still holds what it held; a packed one never shrinks to less."""
        one = self._by_key.get(self._by_file.get(file.file, -1))
        if one is None or (not file.packed and file.size_bytes < one.offset):
            return None
        if one.head.length and not one.head.begins(file.head):
            return None
        return Decision(file, Verdict.SAME, one.key)

    def lose(self, files: set[FileId]) -> None:
        """Note the files that do not hold any more what they held."""
        for file in files & self._by_file.keys():
            key = self._by_file.pop(file)
            self._by_key[key] = replace(self._by_key[key], file=None, end=None)

    def find(self, file: Seen) -> Decision | None:
        """Decide on a file that begins as a known content does, None if there is none.

        A content that was cut short in its own file is not found again there: it goes on otherwise.
        """
        fitting = [self._by_key[key] for key in self._fitting(file.head)]
        fitting = [one for one in fitting if one.key != self._before.get(file.file)]
        if not fitting:
            return None
        one = max(fitting, key=lambda one: (one.file is not None, one.key))
        longer = one.end is not None and not file.packed and file.size_bytes > one.end
        moved = one.file is None or longer
        return Decision(file, Verdict.MOVED if moved else Verdict.COPY, one.key)

    def _fitting(self, head: bytes) -> list[int]:
        lengths = (length for length in self._lengths if length <= len(head))
        heads = (Head(length, _sha256(head[:length])) for length in lengths)
        return [key for one in heads for key in self._by_head.get(one, [])]

    def learn(self, decision: Decision) -> None:
        """Let the files that are decided later know of this one."""
        file, key = decision.seen, decision.key
        if key is None or decision.verdict not in {Verdict.MOVED, Verdict.NEW}:
            return
        one = self._by_key.get(key) or Known(key, None, 0, head_of(file.head))
        if key not in self._by_key:
            self._index(one)
        self._by_key[key] = replace(one, file=file.file, end=None)


def _unknown(file: Seen, decisions: list[Decision], next_key: int) -> Decision:
    """Decide on a file that begins as nothing known does."""
    if not file.wanted:
        return Decision(file, Verdict.IGNORED)
    if not file.head or (len(file.head) < HEAD_BYTES and _begins_another(file, decisions)):
        return Decision(file, Verdict.WAIT)
    return Decision(file, Verdict.NEW, next_key)


def _begins_another(file: Seen, decisions: list[Decision]) -> bool:
    """Whether the little that a file holds may be the beginning of a copy of another."""
    return any(d.key is not None and d.seen.head.startswith(file.head) for d in decisions)
