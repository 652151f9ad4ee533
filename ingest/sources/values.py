"""One value at the tape's current place, wherever it ends: an object, a list, or something else.

Separate from the path of whole lines because it looks at every byte: first with the decoder's own
parser, fast and sure of what is well-formed; what that refuses is followed by its brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.json_scan import BLANK, Nesting, depth_of, members, windows
from ingest.record import InputProblem, Reason
from ingest.salvage import MAX_DEPTH, MAX_RECORD_BYTES
from ingest.sources.not_json import HEAD_BYTES, begins_json, next_text, refuse_run
from ingest.sources.oversized import take_oversized
from ingest.sources.well_formed import parsed_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.sources.not_json import Begins
    from ingest.sources.tape import Tape
    from ingest.sources.tray import Tray

_LIST_HEAD_BYTES: Final = 1 << 12
"""Bytes within which a list's items begin: kind, version and metadata are short."""

_LIST_KEYS: Final = frozenset({b"kind", b"apiVersion", b"metadata"})
_LIST_END_BYTES: Final = 1 << 12


def take_value(
    tape: Tape, tray: Tray, indent: bytes | None, begins: Begins | None = None
) -> Iterator[None]:
    """Take what is ahead, which is not empty: a value with all its items, or a run of other bytes.

    Parameters
        indent: the blanks before it on its line, None if it shares the line with something else.
        begins: whether a line of text begins a record, before which all else ends.
    """
    tape.reach(HEAD_BYTES)
    head = tape.peek(0, HEAD_BYTES)
    if not begins_json(head):
        refuse_run(tape, tray, in_list=False, begins=begins)
    elif head[:1] == b"{":
        yield from _take_object(tape, tray, indent, begins)
    elif depth_of(head) > MAX_DEPTH:
        _take_malformed(tape, tray, b"\n{", begins)
    elif not _take_on_line(tape, tray):
        tape.skip(1)
        yield from _take_items(tape, tray, in_envelope=False)


def line_length(tape: Tape) -> int | None:
    """Return the length of the line ahead, None if it is too large for a record or cut off."""
    start = 0
    while (end := tape.find(b"\n", start, MAX_RECORD_BYTES + 1)) < 0:
        start = tape.ahead
        if start > MAX_RECORD_BYTES or not tape.grow():
            return None
    return end


def _take_object(
    tape: Tape, tray: Tray, indent: bytes | None, begins: Begins | None
) -> Iterator[None]:
    """Take an object as a record, or the items of a list object."""
    items = _items_start(tape)
    if items is None:
        _take_event(tape, tray, indent, begins)
    elif not _take_on_line(tape, tray):
        tape.skip(items)
        yield from _take_items(tape, tray, in_envelope=True)


def _items_start(tape: Tape) -> int | None:
    """Return where the first item of a list object begins, None for any other object.

    ``{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[`` as the API server
    writes it, in any order of the keys: tools that print it again sort them.
    """
    tape.reach(_LIST_HEAD_BYTES)
    if tape.find(b'"items"', 0, _LIST_HEAD_BYTES) < 0:
        return None
    head = tape.peek(0, _LIST_HEAD_BYTES)
    for member in members(head, 0):
        if member.key == b"items" and head[member.start : member.start + 1] == b"[":
            return member.start + 1
        if member.key not in _LIST_KEYS:
            return None
    return None


def _take_on_line(tape: Tape, tray: Tray) -> bool:
    """Take a list whole if it is well-formed, ends on its line and is no larger than a record."""
    length = line_length(tape)
    if length is None:
        length = tape.ahead
        if not tape.ended or length > MAX_RECORD_BYTES:
            return False
    end, _ = parsed_end(tape.view()[:length])
    if end is None:
        return False
    _lay(tape, tray, end)
    return True


def _take_items(tape: Tape, tray: Tray, *, in_envelope: bool) -> Iterator[None]:
    """Take the items of a list whose bracket was passed, one by one, and the list's end.

    Items that are lists count as their items; an object that is a list is opened only where the
    list is not itself within an object. What is no object is refused, and then it goes on.
    """
    open_lists = 1
    indent = tape.skip_over(BLANK + b",")
    while tape.ahead and open_lists:
        byte = tape.peek(0, 1)
        if byte in {b"[", b"]"}:
            open_lists += 1 if byte == b"[" else -1
            tape.skip(1)
        elif byte != b"{":
            refuse_run(tape, tray, in_list=True)
        elif in_envelope:
            _take_event(tape, tray, indent, None)
        else:
            yield from _take_object(tape, tray, indent, None)
        yield
        if open_lists:
            indent = tape.skip_over(BLANK + b",")
    if open_lists:
        problem = InputProblem(tray.path, "ends within a list: the rest was cut off")
        tape.problems.append(problem)
    elif in_envelope:
        _skip_envelope(tape)


def _skip_envelope(tape: Tape) -> None:
    """Pass what follows the items in a list object, if it is other members and a brace."""
    tape.reach(_LIST_END_BYTES)
    rest = b"{" + tape.peek(0, _LIST_END_BYTES)
    end = 1
    for member in members(rest, 0):
        if member.key not in _LIST_KEYS or member.end is None:
            return
        end = member.end
    closing = rest[end:].lstrip(BLANK)
    if closing[:1] == b"}":
        tape.skip(len(rest) - len(closing))


def _take_event(tape: Tape, tray: Tray, indent: bytes | None, begins: Begins | None) -> None:
    """Take one object as a record, whatever is in it."""
    if (end := _well_formed_end(tape)) is not None:
        _lay(tape, tray, end)
    else:
        _take_malformed(tape, tray, b"\n" + (indent or b"") + b"{", begins)


def _lay(tape: Tape, tray: Tray, size: int) -> None:
    raw = tape.peek(0, size).rstrip(BLANK)
    tray.lay([raw], [tape.offset], len(raw))
    tape.skip(len(raw))  # not the blanks: they tell whether the next record begins a line


def _well_formed_end(tape: Tape) -> int | None:
    """Return where a well-formed value ends, None if it is not, or is too deep or too large."""
    while True:
        end, is_cut = parsed_end(tape.view())
        if end is not None:
            return end if end <= MAX_RECORD_BYTES else None
        if not is_cut or tape.ahead > MAX_RECORD_BYTES or not tape.grow():
            return None


def _take_malformed(tape: Tape, tray: Tray, next_start: bytes, begins: Begins | None) -> None:
    """Take a record that ends with its brackets or where the next begins, whichever is first."""
    nesting = Nesting()
    for begin, stop in windows(0, MAX_RECORD_BYTES):
        tape.reach(stop + HEAD_BYTES)
        seam = tape.find(next_start, max(0, begin - len(next_start)), stop)
        if begins is not None:
            seam = _text_seam(tape, begin, stop if seam < 0 else seam, begins) or seam
        piece = tape.peek(begin, stop if seam < 0 else seam)
        end = nesting.feed(piece)
        if end is not None or seam >= 0:
            _lay(tape, tray, seam if end is None else begin + end)
            return
        if tape.ended and stop >= tape.ahead:
            _take_cut(tape, tray)
            return
    take_oversized(tape, tray, next_start)


def _text_seam(tape: Tape, begin: int, stop: int, begins: Begins) -> int:
    """Return the first line break before ``stop`` that a record of text follows, 0 for none."""
    before = max(0, begin - 1)
    block = tape.peek(before, stop + HEAD_BYTES)
    place = next_text(block, 0, stop - before, begins)
    return before + place - 1 if place else 0


def _take_cut(tape: Tape, tray: Tray) -> None:
    """Take what the stream ends in the middle of."""
    raw = tape.peek(0, tape.ahead).rstrip(BLANK)
    tray.salvage_or_refuse(raw, tape.offset, Reason.TRUNCATED, "the input ends within this record")
    tape.skip(tape.ahead)
