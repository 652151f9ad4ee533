"""Lines of text ahead in, their records on the tray.

Separate from framing because lines of text may belong together, so that one is not laid where it
stands but where its record is complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.formats.text_lines import FIRST_BYTES, HEAD_BYTES
from ingest.record import Reason
from ingest.salvage import MAX_RECORD_BYTES

if TYPE_CHECKING:
    from ingest.sources.joining import Joining
    from ingest.sources.tape import Tape
    from ingest.sources.tray import Tray


def begins_text(tape: Tape, joining: Joining) -> bool:
    """Whether the line ahead, at whose beginning the tape stands, is of a record of text."""
    if tape.peek(0, 1)[0] not in FIRST_BYTES:
        return False
    tape.reach(HEAD_BYTES)
    return joining.wants(tape.peek(0, HEAD_BYTES).partition(b"\n")[0])


def take_texts(tape: Tape, tray: Tray, joining: Joining, whole: int) -> int:
    """Take the lines ahead that are records of text, up to the first that is none.

    Parameters
        whole: bytes of whole lines ahead without the last line break, 0 if the first does not end.

    Returns
        the number of bytes taken, without the last line break; 0 also for a line too long to be
        a record.
    """
    if not whole:
        whole = tape.ahead if tape.ended else 0
        if whole > MAX_RECORD_BYTES:
            return 0
    offset = start = tape.offset
    for line in tape.peek(0, whole).split(b"\n"):
        stop = start + len(line) + 1
        if not joining.add(line[:-1] if line.endswith(b"\r") else line, start, stop):
            break
        start = stop
    taken = max(0, start - 1 - offset)
    tape.skip(taken)
    lay_joined(joining, tray)
    return taken


def lay_joined(joining: Joining, tray: Tray) -> None:
    """Lay the records that are complete on the tray; of those that were cut off, what is sound."""
    done = joining.take()
    whole = [one for one in done if not one.is_cut]
    if whole:
        size = sum(one.size_bytes for one in whole)
        tray.lay([one.raw for one in whole], [one.offset for one in whole], size)
    for one in done if len(whole) < len(done) else ():
        if one.is_cut:
            why = "the rest of this line of a container's log is missing"
            tray.salvage_or_refuse(one.raw, one.offset, Reason.TRUNCATED, why)
