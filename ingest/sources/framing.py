"""Chunks of bytes in, chunks of raw records out: lines where there are lines, else JSON values.

Lines of text are records where a text format begins like them (ingest/formats/text_lines.py), alone
or joined (ingest/sources/joining.py).

Separate from decoding because it must not care what a record says, only where it ends, and because
its memory must not grow with a file or a value. Nothing is lost on the way: every byte of the
stream that is no blank or punctuation between records is in a record, salvaged, or refused.

Who refuses what: here, what begins like no record (``not_json``), what ends with the stream
before it ends by itself, and what is too large; the last two only where no audit event can be
salvaged. Everything else is the decoder's, which also salvages what was cut within the stream.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.json_scan import BLANK
from ingest.sources.joining import Joining
from ingest.sources.not_json import HEAD_BYTES, begins_json, refuse_run
from ingest.sources.tape import Tape
from ingest.sources.text_run import begins_text, lay_joined, take_texts
from ingest.sources.tray import Tray
from ingest.sources.values import line_length, take_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ingest.record import InputProblem, Records

_BETWEEN: Final = BLANK + b",]"
"""What stands between records: also commas, and the end of a list that was broken off."""

_OPENING, _CLOSING, _RETURN = b"{}\r"

_FIRST_LINES: Final = 1 << 10
_MOST_LINES: Final = 1 << 18
"""Bytes split into lines at once. They grow from few while the lines are records, so that a stream
of other things does not pay for being split into lines."""


def frame(path: str, chunks: Iterable[bytes | InputProblem]) -> Iterator[Records]:
    """Cut a stream into records.

    A line that is one object or list is one record, as it is. What spans lines, shares a line with
    others, or is larger than ``MAX_RECORD_BYTES`` is followed value by value; lists and EventLists
    among those are opened, and their items are the records. After a malformed value framing goes on
    at the next line that begins with a brace as far in as that value.

    Parameters
        path: names the stream in what comes out.
        chunks: the stream, in chunks of any size; the records do not depend on their sizes.

    Returns
        chunks of at most 500 records and about 4 MiB, offsets in bytes of the stream; problems of
        the stream are in the last chunk. Never raises for what is in the stream. Memory: usually
        2 MiB; while a record is followed that is larger than 8 MiB, 40; of lines that may belong
        together 8 MiB.
    """
    tape, tray = Tape(chunks), Tray(path)
    for _ in _records(tape, tray):
        yield from tray.full()
    yield from tray.rest(tape.problems)


def _records(tape: Tape, tray: Tray) -> Iterator[None]:
    """Lay all records of the tape on the tray, pausing where it may be emptied."""
    joining = Joining()
    _refuse_beginning(tape, tray, joining)
    indent = tape.skip_over(_BETWEEN)
    window, first, shared = _FIRST_LINES, True, False
    while tape.ahead:
        # Values that share a line once (Firehose joins them so) may do so anywhere from there on.
        shared = shared or (indent is None and not first)
        taken = 0 if first or shared else _take_lines(tape, tray, window)
        if not taken and indent == b"" and begins_text(tape, joining):
            taken = take_texts(tape, tray, joining, _whole_lines(tape, window))
        window = min(window * 2, _MOST_LINES) if taken > window // 2 else _FIRST_LINES
        if not taken:
            yield from take_value(tape, tray, indent, joining.wants)
        if joining:
            joining.expire(tape.offset)
            lay_joined(joining, tray)
        yield
        first = False
        indent = tape.skip_over(_BETWEEN)
    joining.close()
    lay_joined(joining, tray)


def _refuse_beginning(tape: Tape, tray: Tray, joining: Joining) -> None:
    """Refuse what stands before the first record, from the very first byte on.

    So that a file that holds no record at all is refused with its own size and hash.
    """
    tape.reach(HEAD_BYTES)
    whole = tape.peek(0, HEAD_BYTES)
    head = whole.lstrip(_BETWEEN)
    if not head or begins_json(head):
        return
    before = whole[: len(whole) - len(head)]
    if before[-1:] not in {b"", b"\n"} or not joining.wants(head.partition(b"\n")[0]):
        refuse_run(tape, tray, in_list=False, begins=joining.wants)


def _take_lines(tape: Tape, tray: Tray, window: int) -> int:
    """Take the lines ahead that look like objects, up to the first that does not.

    This is the path of nearly every record, so it does as little as it can for one; whether the
    object is one is the decoder's to say. Returns the number of bytes taken, without the last line
    break.
    """
    block = tape.peek(0, _whole_lines(tape, window)) + b"\n"
    raws: list[bytes] = []
    offsets: list[int] = []
    offset, start, find = tape.offset, 0, block.find
    while start < len(block) and block[start] == _OPENING:
        end = find(b"\n", start)
        stop = end - 1 if block[end - 1] == _RETURN else end
        if block[stop - 1] != _CLOSING:
            break
        raws.append(block[start:stop])
        offsets.append(offset + start)
        start = end + 1
    taken = max(0, start - 1)
    tray.lay(raws, offsets, taken)
    tape.skip(taken)
    return taken


def _whole_lines(tape: Tape, window: int) -> int:
    """Return the size of the whole lines in the window, or of the first if it is longer.

    Without the last line break; 0 if the first line does not end, or not within the limit.
    """
    tape.reach(window)
    last = tape.rfind(b"\n", 0, window)
    return last if last >= 0 else (line_length(tape) or 0)
