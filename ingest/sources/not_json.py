"""Runs of bytes that are no records: log lines of others among events, text files, binary files.

Separate because this is where framing refuses by itself. The line is drawn at how a record begins:
what begins like an object, a list of objects, or a line of a known text format goes to the decoder,
however it goes on; what does not is refused here, line by line as long as it looks like a few lines
of text, else as one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import orjson

from ingest.formats.text_lines import FIRST_BYTES
from ingest.json_scan import BLANK, string_end
from ingest.record import Reason, sha256_hex

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.sources.tape import Tape
    from ingest.sources.tray import Tray

    Begins = Callable[[bytes], bool]
    """Whether a line, of which the first ``HEAD_BYTES`` are given, is of a record of text."""

HEAD_BYTES: Final = 1 << 10
"""Bytes by which the beginning of an object is told: a first key, or so much of one that a binary
file cannot hold it by accident (no control character may stand in a key)."""

RUN_BYTES: Final = 1 << 20
RUN_LINES: Final = 500
"""A longer run is one refusal: its lines are no records that lost their way, and a binary file
would fill the quarantine."""

_INDENT_BYTES: Final = 64
"""Most blanks before a record on its line where it follows something else."""

_SECOND: Final = b'"{}[]' + BLANK
"""What may follow the first bracket; a text full of braces is passed over quickly."""

_FIRST_BLOCK: Final = 1 << 12
_SEPARATORS: Final = BLANK + b","
_BETWEEN: Final = _SEPARATORS + b"["
_SPACE: Final = 0x20  # control characters below it cannot stand in a JSON string


def begins_json(head: bytes) -> bool:
    """Whether bytes begin like an object with members, like `{}`, or like a list of such.

    ``head`` are the next ``HEAD_BYTES`` or all there are; what they are too few for counts as yes.
    """
    inner = head.lstrip(b"[" + BLANK)
    if inner[:1] in {b"", b"]"}:
        return head[:1] == b"["
    key = inner[1:].lstrip(BLANK)
    if inner[:1] != b"{" or key[:1] != b'"':
        return inner[:1] == b"{" and key[:1] in {b"", b"}"}
    end = string_end(key, 0) or len(key)
    return min(key[:end]) >= _SPACE and key[end:].lstrip(BLANK)[:1] in {b"", b":"}


def refuse_run(tape: Tape, tray: Tray, *, in_list: bool, begins: Begins | None = None) -> None:
    """Refuse what is ahead, which is not empty, up to where a record begins again.

    JSON does at the beginning of a line, in a list (``in_list``) also after a comma or a bracket;
    text does where ``begins`` says so of a line's head. Memory: a block of 1 MiB, whatever the
    length of the run.
    """
    run = _Run(tape.offset)
    size = _FIRST_BLOCK
    least = 1  # the first byte belongs to the run, even if it is a comma
    while tape.reach(size) or tape.ahead:
        block = tape.peek(0, size)
        is_last = tape.ended and len(block) == tape.ahead
        stop, ends = _run_end(block, begins, is_last=is_last, in_list=in_list)
        stop = max(stop, least)
        run.add(block[:stop])
        tape.skip(stop)
        if ends or not stop:
            break
        size = min(size * 4, RUN_BYTES)
        least = 0
    run.refuse(tray, whole=run.offset == 0 and not tape.ahead)


def _run_end(
    block: bytes, begins: Begins | None, *, is_last: bool, in_list: bool
) -> tuple[int, bool]:
    """Return how much of a block surely belongs to a run, and whether the run ends there."""
    decidable = len(block) if is_last else len(block) - HEAD_BYTES
    starts = [_next_start(block, decidable, in_list=in_list)]
    starts.append(next_text(block, 0, starts[0] or decidable, begins) if begins else 0)
    if start := min(filter(None, starts), default=0):
        return len(block[:start].rstrip(BLANK)), True
    return (len(block) if is_last else len(block[:decidable].rstrip(_BETWEEN))), is_last


def _next_start(block: bytes, stop: int, *, in_list: bool) -> int:
    """Return the first place where JSON begins, 0 if there is none before ``stop``."""
    before = {b"\n", b",", b"["} if in_list else {b"\n"}
    places = (_first_start(block, bracket, stop, before) for bracket in (b"{", b"["))
    return min(filter(None, places), default=0)


def _first_start(block: bytes, bracket: bytes, stop: int, before: set[bytes]) -> int:
    """Return the first bracket that begins JSON and stands after one of the bytes ``before``."""
    place = block.find(bracket, 1, stop)
    while place > 0:
        if block[place + 1 : place + 2] in _SECOND:
            gap = block[max(0, place - _INDENT_BYTES) : place].rstrip(b" \t\r")
            if gap[-1:] in before and begins_json(block[place : place + HEAD_BYTES]):
                return place
        place = block.find(bracket, place + 1, stop)
    return 0


def next_text(block: bytes, start: int, stop: int, begins: Begins) -> int:
    """Return the first place after ``start`` where a line of text begins a record, 0 for none."""
    stop = min(stop, len(block))
    place = block.find(b"\n", start, stop) + 1
    while place and place < stop:
        if block[place] in FIRST_BYTES:
            end = block.find(b"\n", place, place + HEAD_BYTES)
            if begins(block[place : place + HEAD_BYTES if end < 0 else end]):
                return place
        place = block.find(b"\n", place, stop) + 1
    return 0


class _Run:
    """A run that grows: always its length and hash, its text only while it is short."""

    __slots__ = ("_hash", "_size", "_text", "offset")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self._size = 0
        self._hash = hashlib.sha256()
        self._text: bytes | None = b""

    def add(self, part: bytes) -> None:
        self._size += len(part)
        self._hash.update(part)
        if self._text is not None:
            self._text = self._text + part if self._size <= RUN_BYTES else None

    def refuse(self, tray: Tray, *, whole: bool) -> None:
        """Refuse each line of a short text, else all of it at once."""
        text = self._text
        if text is None or b"\0" in text or text.count(b"\n") > RUN_LINES:
            what = "the whole input" if whole else f"{self._size} bytes in a row"
            why = f"{what}: no record begins in it"
            tray.refuse(Reason.NOT_JSON, self.offset, self._size, self._hash.hexdigest(), why)
            return
        offset = self.offset
        for line in text.split(b"\n"):
            _refuse_line(line, offset, tray)
            offset += len(line) + 1


def _refuse_line(line: bytes, offset: int, tray: Tray) -> None:
    """Refuse one line without its blanks and commas, which are what separates records."""
    offset += len(line) - len(line.lstrip(_SEPARATORS))
    if line := line.strip(_SEPARATORS):
        try:
            orjson.loads(line)
        except orjson.JSONDecodeError:
            reason, why = (
                Reason.NOT_JSON,
                "begins like no record: neither a JSON object nor a known line of text",
            )
        else:
            reason, why = Reason.NOT_AN_EVENT, "JSON, but no object"
        tray.refuse(reason, offset, len(line), sha256_hex(line), why)
