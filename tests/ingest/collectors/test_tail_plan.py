# ruff: noqa: E501 - a table reads best with a case a line
"""What a file is: a table of everything that happens to log files between two looks."""

from __future__ import annotations

import pytest

from ingest.collectors.tail_plan import (
    HEAD_BYTES,
    FileId,
    Head,
    Known,
    Seen,
    Verdict,
    head_of,
    plan,
)

OLD = b'{"auditID":"old"}\n' * 100
OTHER = b'{"auditID":"other"}\n' * 100
SHORT = b'{"auditID":"short"}\n'
HALF = b'{"auditID":"ha'
END = len(OLD)


def file(inode: int, content: bytes, size: int | None = None, **more: bool) -> Seen:
    size_bytes = len(content) if size is None else size
    return Seen(f"log-{inode}", FileId(1, inode), size_bytes, content[:HEAD_BYTES], **more)


def known(
    key: int, inode: int | None, content: bytes, offset: int, end: int | None = None
) -> Known:
    place = None if inode is None else FileId(1, inode)
    return Known(key, place, offset, head_of(content[:HEAD_BYTES]), end)


@pytest.mark.parametrize(
    ("contents", "files", "expected"),
    [
        # nothing known
        ([], [], {}),
        ([], [file(1, OLD)], {1: ("new", 0)}),
        ([], [file(1, b"")], {1: ("wait", None)}),
        ([], [file(1, HALF)], {1: ("new", 0)}),
        ([], [file(1, OLD, wanted=False)], {1: ("ignored", None)}),
        ([], [file(1, OLD), file(2, OTHER)], {1: ("new", 0), 2: ("new", 1)}),
        ([], [file(1, OLD), file(2, OLD)], {1: ("new", 0), 2: ("copy", 0)}),
        ([], [file(1, OLD[:40]), file(2, OLD)], {1: ("wait", None), 2: ("new", 0)}),
        ([], [file(1, b"", 20, packed=True)], {1: ("wait", None)}),
        # grown, unchanged, renamed
        ([known(0, 1, OLD, 40)], [file(1, OLD)], {1: ("same", 0)}),
        ([known(0, 1, OLD, END, END)], [file(1, OLD)], {1: ("same", 0)}),
        ([known(0, 1, SHORT, 20)], [file(1, SHORT + OLD)], {1: ("same", 0)}),
        ([known(0, 1, b"", 0)], [file(1, OLD)], {1: ("same", 0)}),
        # truncated: emptied, written again to less, as much, more; cut within its old content
        ([known(0, 1, OLD, END)], [file(1, b"")], {1: ("wait", None)}),
        ([known(0, 1, OLD, END)], [file(1, SHORT)], {1: ("new", 1)}),
        ([known(0, 1, OLD, END)], [file(1, OTHER, END)], {1: ("new", 1)}),
        ([known(0, 1, OLD, END)], [file(1, OTHER, END * 9)], {1: ("new", 1)}),
        ([known(0, 1, OLD, END)], [file(1, OLD, END - 18)], {1: ("new", 1)}),
        ([known(0, 1, OLD, END)], [file(1, OLD[:36])], {1: ("new", 1)}),
        # copied, then truncated
        ([known(0, 1, OLD, 40)], [file(1, OLD), file(2, OLD)], {1: ("same", 0), 2: ("copy", 0)}),
        ([known(0, 1, OLD, 40)], [file(1, b""), file(2, OLD)], {1: ("wait", None), 2: ("moved", 0)}),
        ([known(0, 1, OLD, 40)], [file(1, OTHER), file(2, OLD)], {1: ("new", 1), 2: ("moved", 0)}),
        ([known(0, 1, OLD, 40)], [file(2, OLD), file(1, SHORT)], {1: ("new", 1), 2: ("moved", 0)}),
        ([known(0, 1, OLD, 40)], [file(1, OLD), file(2, OLD[:9])], {1: ("same", 0), 2: ("wait", None)}),
        # a copy that has grown beyond the file that was read to its end
        ([known(0, 1, OLD, END, END)], [file(1, OLD), file(2, OLD, END + 9)], {1: ("same", 0), 2: ("moved", 0)}),
        ([known(0, 1, OLD, END, END + 9)], [file(1, OLD, END + 9), file(2, OLD, END + 9)], {1: ("same", 0), 2: ("copy", 0)}),
        # compressed: while the file is there, once it is gone, and another file's
        ([known(0, 1, OLD, 40)], [file(1, OLD), file(2, OLD, 50, packed=True)], {1: ("same", 0), 2: ("copy", 0)}),
        ([known(0, 9, OLD, 40)], [file(1, OLD), file(2, OLD[:9], 50, packed=True)], {1: ("copy", 0), 2: ("wait", None)}),
        ([known(0, None, OLD, 40)], [file(2, OLD, 50, packed=True)], {2: ("moved", 0)}),
        ([known(0, None, OLD, 40)], [file(2, OTHER, 50, packed=True)], {2: ("new", 1)}),
        ([known(0, 2, OLD, END)], [file(2, OLD, 50, packed=True)], {2: ("same", 0)}),
        # only the rest of what is known is looked for under other names
        ([known(0, None, OLD, 40)], [file(2, OLD, wanted=False)], {2: ("moved", 0)}),
        # deleted, and its inode given to another: longer, shorter, to another known content
        ([known(0, 1, OLD, END)], [file(1, OTHER)], {1: ("new", 1)}),
        ([known(0, 1, OLD, 9), known(1, 2, OTHER, 9)], [file(1, OTHER), file(2, OLD)], {1: ("moved", 1), 2: ("moved", 0)}),
        # half a line is the same in many files
        ([known(0, None, HALF, 0)], [file(2, HALF + b'lf"}\n')], {2: ("new", 1)}),
        # of two that begin alike, the later one
        ([known(0, None, OLD, END), known(3, None, OLD, 9)], [file(1, OLD)], {1: ("moved", 3)}),
        ([known(0, 1, OLD, 9), known(3, None, OLD, 9)], [file(1, OLD), file(2, OLD)], {1: ("same", 0), 2: ("copy", 0)}),
    ],
)  # fmt: skip
def test_plan(
    contents: list[Known], files: list[Seen], expected: dict[int, tuple[str, int | None]]
) -> None:
    found = {d.seen.file.inode: (d.verdict.value, d.key) for d in plan(contents, files)}
    assert found == expected


def test_every_file_is_decided_once() -> None:
    files = [file(number, OLD if number % 3 else OTHER) for number in range(50)]
    decisions = plan([known(0, 7, OLD, 0)], files)
    assert sorted(d.seen.file for d in decisions) == sorted(one.file for one in files)
    assert [d.verdict for d in decisions].count(Verdict.NEW) == 1


@pytest.mark.parametrize(
    ("begin", "length"),
    [
        (b"", 0),
        (HALF, 0),
        (SHORT, 20),
        (SHORT + HALF, 20),
        (b"x" * HEAD_BYTES, HEAD_BYTES),
        (b"\0" * HEAD_BYTES, 0),
        (b"\0\0\n", 0),
    ],
)
def test_a_content_is_told_by_whole_lines_or_by_all_of_its_head(begin: bytes, length: int) -> None:
    head = head_of(begin)
    assert head.length == length
    assert head.begins(begin) == (length > 0)


def test_no_head_fits_nothing() -> None:
    assert not Head().begins(b"")
    assert not Head().begins(OLD)
    assert not head_of(SHORT).begins(SHORT[:-1])
